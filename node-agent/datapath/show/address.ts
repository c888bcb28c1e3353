/** `ip addr show`: devices with their addresses. */
import { broadcastOf, formatIpv4 } from '../../../shared/wire/address.ts';
import { asText, type LinkRow, linkAddress, linkHeading, linkRows } from './link.ts';
import type { ShownNamespace } from './namespace.ts';

export interface AddressRow {
  readonly family: 'inet';
  readonly local: string;
  readonly prefixlen: number;
  readonly broadcast?: string;
  readonly scope: 'global' | 'host';
  readonly label: string;
  readonly valid_life_time: number;
  readonly preferred_life_time: number;
}

export interface LinkWithAddresses extends LinkRow {
  readonly addr_info: readonly AddressRow[];
}

const FOREVER = 0xffff_ffff;

export function addressRows(namespace: ShownNamespace): LinkWithAddresses[] {
  const assigned = namespace.host.addresses();
  return linkRows(namespace).map((link) => ({
    ...link,
    addr_info: assigned
      .filter(({ device }) => device.index === link.ifindex)
      .map(({ address, prefixLength, scope }) => ({
        family: 'inet',
        local: formatIpv4(address),
        prefixlen: prefixLength,
        broadcast: scope === 'host' || prefixLength >= 31 ? undefined : formatIpv4(broadcastOf(address, prefixLength)),
        scope,
        label: link.ifname,
        valid_life_time: FOREVER,
        preferred_life_time: FOREVER,
      })),
  }));
}

export function formatAddresses(rows: readonly LinkWithAddresses[]): string {
  return asText(
    rows.flatMap((row) => [
      linkHeading(row, ''),
      linkAddress(row),
      ...row.addr_info.flatMap((info) => {
        const broadcast = info.broadcast === undefined ? '' : `brd ${info.broadcast} `;
        return [
          `    inet ${info.local}/${info.prefixlen} ${broadcast}scope ${info.scope} ${info.label}`,
          '       valid_lft forever preferred_lft forever',
        ];
      }),
    ]),
  );
}
