/** What a node says of the machine it stands for. */
import { createHash } from 'node:crypto';
import { release } from 'node:os';
import type { NodeFacts } from './node-object.ts';

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386' };
const REGION = 'local';

export interface MachineIdentity {
  readonly cluster: string;
  readonly nodeName: string;
  readonly internalIp: string;
  readonly internalIpv6: string | undefined;
  readonly bootId: string;
  readonly zone: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly maxPods: number;
  readonly instanceType: string | undefined;
}

export function machineFacts(identity: MachineIdentity): NodeFacts {
  const { cluster, nodeName, internalIp, internalIpv6, bootId, zone, annotations, maxPods, instanceType } = identity;
  return {
    name: nodeName,
    internalIp,
    internalIpv6,
    ...(zone === undefined ? {} : { zone }),
    region: REGION,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    kernelVersion: release(),
    machineId: createHash('sha256').update(`${cluster}/${nodeName}`).digest('hex').slice(0, 32),
    bootId,
    annotations,
    maxPods,
    ...(instanceType === undefined ? {} : { instanceType }),
  };
}
