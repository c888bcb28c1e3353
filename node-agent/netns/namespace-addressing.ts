/** What makes a kernel's network namespace look like an emulated one: lines for `ip -batch`, from the emulated tables. */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { formatMac } from '../../shared/wire/address.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../shared/wire/ipv6-table.ts';

/**
 * A TAP has no way to stop the kernel's TCP, which fills the queue with whole windows (4 MiB by tcp_wmem), where a veth
 * would have taken the frames at once: several of them fit.
 */
const QUEUE_FRAMES = 10_000;

/** The addresses and routes that `host` has on `device`, for a kernel's device of the same name. */
export function addressingLines(host: Host, device: NetDevice): string[] {
  const { name } = device;
  const addresses = host.interfaces.get(device)?.addresses ?? [];
  const routes = host.routes.list().filter((route) => route.device === device && route.gateway !== 0);
  return [
    'link set lo up',
    // Without an IPv6 address of its own it sends no router solicitations.
    `link set ${name} addrgenmode none`,
    `link set ${name} address ${formatMac(device.macAddress)} mtu ${device.mtuBytes} txqueuelen ${QUEUE_FRAMES}`,
    ...addresses.map(
      ({ address, prefixLength }) =>
        `address add ${formatAddress(address)}/${prefixLength} dev ${name}${isIpv6(address) ? ' nodad' : ''}`,
    ),
    `link set ${name} up`,
    ...routes.map(
      ({ destination, prefixLength, gateway }) =>
        `route add ${formatAddress(destination)}/${prefixLength} via ${formatAddress(gateway)} dev ${name}`,
    ),
  ];
}
