/** `ip addr show`: devices with their addresses. */
import type { InterfaceAddress } from '../../../shared/netstack/interface-address.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import { asText, type LinkRow, linkAddress, linkHeading, linkRows } from './link.ts';
import type { ShownNamespace } from './namespace.ts';

export interface AddressRow {
  readonly family: 'inet' | 'inet6';
  readonly local: string;
  readonly prefixlen: number;
  readonly broadcast?: string;
  readonly scope: InterfaceAddress['scope'];
  /** True or absent. */
  readonly secondary?: boolean;
  /** Of IPv4 alone. */
  readonly label?: string;
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
      .sort((a, b) => rank(a) - rank(b))
      .map(addressRow),
  }));
}

export function addressRow(assigned: InterfaceAddress): AddressRow {
  const { device, address, prefixLength, scope, secondary, broadcast } = assigned;
  return {
    family: isIpv6(address) ? 'inet6' : 'inet',
    local: formatAddress(address),
    prefixlen: prefixLength,
    broadcast: broadcast === 0 ? undefined : formatIpv4(broadcast),
    scope,
    secondary: secondary ? true : undefined,
    label: isIpv6(address) ? undefined : device.name,
    valid_life_time: FOREVER,
    preferred_life_time: FOREVER,
  };
}

/** IPv4 first, and the link's own address last. */
function rank({ address, scope }: InterfaceAddress): number {
  if (!isIpv6(address)) return 0;
  return scope === 'link' ? 2 : 1;
}

export function formatAddresses(rows: readonly LinkWithAddresses[]): string {
  return asText(
    rows.flatMap((row) => [
      linkHeading(row, ''),
      linkAddress(row),
      ...row.addr_info.flatMap((info) => [`    ${addressText(info)}`, LIFETIMES]),
    ]),
  );
}

/** `ip -o addr` */
export function formatAddressLines(
  rows: readonly Pick<LinkWithAddresses, 'ifindex' | 'ifname' | 'addr_info'>[],
): string {
  return asText(
    rows.flatMap(({ ifindex, ifname, addr_info }) =>
      addr_info.map((info) => `${ifindex}: ${ifname}    ${addressText(info)}\\${LIFETIMES}`),
    ),
  );
}

const LIFETIMES = '       valid_lft forever preferred_lft forever';

function addressText({ family, local, prefixlen, broadcast, scope, secondary, label }: AddressRow): string {
  const second = secondary === true ? 'secondary ' : '';
  return `${family} ${local}/${prefixlen} ${broadcast === undefined ? '' : `brd ${broadcast} `}scope ${scope} ${second}${label ?? ''}`;
}
