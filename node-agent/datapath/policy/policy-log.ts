/** Lines that rules of policies ask for, in the kernel's log: those of calico's action Log. */
import { packetLogLine } from '../packet-log-line.ts';
import type { NodeDatapath } from '../path.ts';
import type { PolicyEngineOptions } from './policy-engine.ts';

/** Felix' LogPrefix. */
const PREFIX = 'calico-packet: ';

export function policyLog({ kernelLog, root }: NodeDatapath): NonNullable<PolicyEngineOptions['log']> {
  return (packet, inDevice, outDevice) =>
    kernelLog.add(packetLogLine(root.memory.view, packet, PREFIX, inDevice, outDevice));
}
