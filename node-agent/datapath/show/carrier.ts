/** Whether something is at a device's other end, and what state that gives it (RFC 2863, as Linux' operstates). */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { VethDevice } from '../../../shared/netstack/veth.ts';
import { BridgeDevice } from '../bridge.ts';

export type OperationalState = 'UP' | 'DOWN' | 'LOWERLAYERDOWN' | 'UNKNOWN';

/** Their drivers know no carrier. */
const SAYS_NOTHING: ReadonlySet<NetDevice['kind']> = new Set([
  'loopback',
  'vxlan',
  'geneve',
  'ipip',
  'wireguard',
  'tun',
  'dummy',
]);

/** A cable has one while its other end is up, a bridge while a port of it has. */
export function hasCarrier(device: NetDevice): boolean {
  if (device instanceof VethDevice) return device.peer?.up ?? false;
  if (!(device instanceof BridgeDevice)) return true;
  for (const port of device.ports.keys()) if (port.up && hasCarrier(port)) return true;
  return false;
}

export function operationalState(device: NetDevice): OperationalState {
  if (!device.up) return 'DOWN';
  if (SAYS_NOTHING.has(device.kind)) return 'UNKNOWN';
  if (hasCarrier(device)) return 'UP';
  return device instanceof BridgeDevice ? 'DOWN' : 'LOWERLAYERDOWN';
}
