/** What `os` says of the machine that is the pod's instead, and the doors to the machine's network that are no sockets. */
import inspector from 'node:inspector';
import os, { type NetworkInterfaceInfo } from 'node:os';
import type { PodInterface, ProgramPlan } from '../program-plan.ts';

export function installMachineFacts(plan: ProgramPlan): void {
  os.hostname = () => plan.hostname;
  os.networkInterfaces = () => interfacesOf(plan.interfaces);
  inspector.open = () => {
    throw new Error('podwire: the inspector listens on the machine, not in the pod: it cannot be opened');
  };
  if (!plan.isolated) refuseAddons();
}

/** Native code opens sockets that nobody here sees; in a network namespace without interfaces they lead nowhere. */
function refuseAddons(): void {
  process.dlopen = (_module, filename) => {
    throw Object.assign(
      new Error(
        `podwire: native addons are refused, as one could use the machine's network, and no network namespace could be made for this process: ${filename}`,
      ),
      { code: 'ERR_DLOPEN_DISABLED' },
    );
  };
}

function interfacesOf(interfaces: readonly PodInterface[]): NodeJS.Dict<NetworkInterfaceInfo[]> {
  const byDevice: NodeJS.Dict<NetworkInterfaceInfo[]> = {};
  for (const { device, address, prefixLength, mac } of interfaces) {
    const list = byDevice[device] ?? [];
    byDevice[device] = list;
    const common = { address, mac, internal: device === 'lo', cidr: `${address}/${prefixLength}` };
    if (address.includes(':')) list.push({ ...common, family: 'IPv6', netmask: ipv6Mask(prefixLength), scopeid: 0 });
    else list.push({ ...common, family: 'IPv4', netmask: ipv4Mask(prefixLength) });
  }
  return byDevice;
}

function ipv4Mask(prefixLength: number): string {
  const mask = prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.');
}

function ipv6Mask(prefixLength: number): string {
  const groups = Array.from({ length: Math.ceil(prefixLength / 16) }, (_, index) => {
    const bits = Math.min(16, prefixLength - index * 16);
    return ((0xffff << (16 - bits)) & 0xffff).toString(16);
  });
  return groups.length === 8 ? groups.join(':') : `${groups.join(':')}::`;
}
