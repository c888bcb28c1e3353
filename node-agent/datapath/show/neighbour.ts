/** `ip neigh show`. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { Neighbour } from '../../../shared/netstack/neighbour.ts';
import { formatMac } from '../../../shared/wire/address.ts';
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import { asText } from './link.ts';

export interface NeighbourRow {
  readonly dst: string;
  readonly dev: string;
  readonly lladdr?: string;
  readonly state: readonly [string];
}

export function neighbourRows(host: Host, shown: (neighbour: Neighbour) => boolean = () => true): NeighbourRow[] {
  return host.neighbours.list().filter(shown).map(neighbourRow);
}

export function neighbourRow({ address, device, macAddress, state }: Neighbour): NeighbourRow {
  return {
    dst: formatAddress(address),
    dev: device.name,
    lladdr: state === 'INCOMPLETE' || state === 'FAILED' ? undefined : formatMac(macAddress),
    state: [state],
  };
}

/** Rows of one device that was asked for do not name it. */
export function formatNeighbours(rows: readonly (Omit<NeighbourRow, 'dev'> & { readonly dev?: string })[]): string {
  return asText(
    rows.map(({ dst, dev, lladdr, state }) => {
      const device = dev === undefined ? '' : `dev ${dev} `;
      const link = lladdr === undefined ? '' : `lladdr ${lladdr} `;
      return `${dst} ${device}${link}${state[0]} `;
    }),
  );
}
