/** The host ports of a node's pods; all of them are one rules transaction, written anew at every change. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import { parseIpv4 } from '../../../shared/wire/address.ts';
import type { NodeDatapath } from '../../datapath/path.ts';
import { type HostPortMapping, portmapRules } from './portmap-rules.ts';

/** Another pod of the node has the port. */
export class HostPortTakenError extends Error {
  override readonly name = 'HostPortTakenError';
}

export class PortMap {
  private readonly datapath: NodeDatapath;
  private readonly byPod = new Map<string, readonly HostPortMapping[]>();

  constructor(datapath: NodeDatapath) {
    this.datapath = datapath;
  }

  /** Throws HostPortTakenError. */
  add(uid: string, mappings: readonly HostPortMapping[]): void {
    if (mappings.length === 0) return;
    for (const mapping of mappings) {
      const holder = this.holderOf(mapping);
      if (holder === undefined) continue;
      throw new HostPortTakenError(`host port ${mapping.hostPort}/${mapping.protocol} is taken by pod ${holder.pod}`);
    }
    this.byPod.set(uid, mappings);
    this.write();
  }

  remove(uid: string): void {
    if (this.byPod.delete(uid)) this.write();
  }

  private holderOf(wanted: HostPortMapping): HostPortMapping | undefined {
    return [...this.byPod.values()]
      .flat()
      .find(
        (held) =>
          held.protocol === wanted.protocol &&
          held.hostPort === wanted.hostPort &&
          (held.hostIp === 0 || wanted.hostIp === 0 || held.hostIp === wanted.hostIp),
      );
  }

  private write(): void {
    const { bootId, podCidr } = this.datapath;
    if (podCidr === null) throw new Error('host ports need a pod network');
    const reply = this.datapath.applyRules(portmapRules([...this.byPod.values()].flat(), podCidr, bootId));
    if (reply.kind !== 'applied') throw new Error(`the rules of host ports were refused: ${JSON.stringify(reply)}`);
  }
}

/** The host ports that a pod's containers ask for. */
export function hostPortsOf(pod: Pod, podAddress: number): HostPortMapping[] {
  const name = `${pod.metadata?.namespace}/${pod.metadata?.name}`;
  return (pod.spec?.containers ?? [])
    .flatMap((container) => container.ports ?? [])
    .filter((port) => port.hostPort !== undefined && port.hostPort > 0 && port.protocol !== 'SCTP')
    .map((port) => ({
      protocol: port.protocol === 'UDP' ? 'udp' : 'tcp',
      hostPort: port.hostPort ?? 0,
      hostIp: parseIpv4(port.hostIP ?? '') ?? 0,
      podAddress,
      containerPort: port.containerPort,
      pod: name,
    }));
}
