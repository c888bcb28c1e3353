/** An address of a device, as `ip addr` shows it. */
import { broadcastOf } from '../wire/address.ts';
import { isInNetwork } from '../wire/ip-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { NetDevice } from './device.ts';

export interface InterfaceAddress {
  readonly device: NetDevice;
  readonly address: number;
  readonly prefixLength: number;
  readonly scope: 'global' | 'link' | 'host';
  /** Its network was there with another address of the device, which speaks for it. Of IPv4 alone. */
  readonly secondary: boolean;
  /** As it was assigned; 0 for none, and then the network's last address is a broadcast all the same. */
  readonly broadcast: number;
}

/** What programs that assign addresses over netlink name; the kernel itself names none for `lo`. */
export function defaultBroadcast({ kind }: NetDevice, local: number, prefixLength: number): number {
  return kind === 'loopback' || isIpv6(local) || prefixLength >= 31 ? 0 : broadcastOf(local, prefixLength);
}

export function isOfSameNetwork(other: InterfaceAddress, local: number, prefixLength: number): boolean {
  return !isIpv6(local) && other.prefixLength === prefixLength && isInNetwork(local, other.address, prefixLength);
}
