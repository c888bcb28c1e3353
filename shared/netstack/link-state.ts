/** `ip link set up` and `down` (net/ipv4/fib_frontend.c, net/ipv6/addrconf.c): what a device takes with it, and what comes back. */
import * as ipv6 from '../wire/ipv6-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { NetDevice } from './device.ts';
import type { Host } from './host.ts';

/** Nothing happens where the device is in that state already. */
export function setLinkUp(host: Host, device: NetDevice, up: boolean): void {
  if (device.up === up) return;
  device.up = up;
  if (up) comeUp(host, device);
  else goDown(host, device);
  host.routes.generation++;
  host.changes?.linkChanged(device);
  if (up) for (const observer of host.routes.observers) observer.linkUp?.(device);
}

/** All routes through it are gone for good, but those to its networks; so are its neighbours and its IPv6 addresses. */
function goDown(host: Host, device: NetDevice): void {
  host.routes.removeDevice(device);
  host.neighbours.removeDevice(device);
  if (device === host.loopback) return;
  for (const { address } of [...(host.interfaces.get(device)?.addresses ?? [])]) {
    if (isIpv6(address)) host.removeAddress(device, address);
  }
}

function comeUp(host: Host, device: NetDevice): void {
  const attached = host.interfaces.get(device);
  if (attached === undefined || device === host.loopback) return;
  for (const assigned of attached.addresses) host.addConnectedNetwork(assigned);
  if (host.ipv6 && device.macAddress !== 0) host.addAddress(device, ipv6.linkLocalOf(device.macAddress), 64);
}
