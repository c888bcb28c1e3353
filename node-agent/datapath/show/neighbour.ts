/** `ip neigh show`. */
import type { Host } from '../../../shared/netstack/host.ts';
import { formatMac } from '../../../shared/wire/address.ts';
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import { asText } from './link.ts';

export interface NeighbourRow {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly [string];
}

export function neighbourRows(host: Host): NeighbourRow[] {
  return host.neighbours.list().map(({ address, device, macAddress, state }) => ({
    dst: formatAddress(address),
    dev: device.name,
    lladdr: state === 'INCOMPLETE' || state === 'FAILED' ? undefined : formatMac(macAddress),
    state: [state],
  }));
}

export function formatNeighbours(rows: readonly NeighbourRow[]): string {
  return asText(
    rows.map(({ dst, dev, lladdr, state }) => {
      const link = lladdr === undefined ? '' : `lladdr ${lladdr} `;
      return `${dst} dev ${dev} ${link}${state[0]} `;
    }),
  );
}
