/** A node with one pod in this process, over a real socket, for benchmarks: the same parts as a node-agent's kernel. */

import { vxlanNetwork } from '../node-agent/datapath/network/bridged-network.ts';
import { NodeDatapath } from '../node-agent/datapath/path.ts';
import { EventLoop } from '../node-agent/io/event-loop.ts';
import { type IoTier, openLink } from '../node-agent/io/open-link.ts';
import { openPreciseTimer } from '../node-agent/io/precise-timer.ts';
import { slicesOnDemand } from '../node-agent/io/thread-slice.ts';
import { EventEngine } from '../shared/netstack/event-engine.ts';
import type { Host } from '../shared/netstack/host.ts';
import { formatIpv4 } from '../shared/wire/address.ts';
import { PacketMemory } from '../shared/wire/packet-memory.ts';
import { address, cidr } from './address.ts';
import type { Introduction } from './datapath-message.ts';

export interface BenchNode {
  readonly loop: EventLoop;
  readonly datapath: NodeDatapath;
  /** The pod's. */
  readonly host: Host;
  readonly introduction: Introduction;
  /** From now on the other node is known. */
  meet(other: Introduction): void;
}

/** Of the pod on node 1 or 2. */
export function podAddress(number: number): number {
  return address(`10.244.${number}.5`);
}

export async function startBenchNode(
  number: number,
  io: { readonly tier: IoTier; readonly batches: boolean },
): Promise<BenchNode> {
  const memory = new PacketMemory();
  const engine = new EventEngine({ random: Math.random });
  const loop = new EventLoop(engine);
  const { link } = await openLink({ memory, loop, bind: { address: '127.0.0.1', port: 0 }, ...io });
  if (io.tier === 'polled') loop.usePreciseTimer(await openPreciseTimer());
  const datapath = loop.run(
    () =>
      new NodeDatapath({
        engine,
        memory,
        link,
        nodeName: `worker-${number}`,
        internalIp: address(`192.168.1.${9 + number}`),
        clusterCidr: { address: address('10.244.0.0'), prefixLength: 16 },
        bootId: `boot-${number}`,
        secret: crypto.getRandomValues(new Uint8Array(16)),
      }),
  );
  loop.preciseDeadlineUs = () => datapath.faults.nextReleaseUs();
  if (io.tier === 'polled') datapath.faults.onPresence = slicesOnDemand(console.warn);
  const podCidr = `10.244.${number}.0/24`;
  datapath.use(vxlanNetwork);
  datapath.setPodCidr(cidr(podCidr));
  const { host } = loop.run(() => datapath.attachPod({ id: 'bench/pod', address: podAddress(number) }));
  const { nodeName, vtepMac = 0, underlayMac } = datapath;
  const node = { nodeName, internalIp: formatIpv4(datapath.internalIp), podCidr, vtepMac, underlayMac };
  const meet = (other: Introduction): void => introduce(loop, datapath, other);
  return { loop, datapath, host, introduction: { endpoint: link.local, node }, meet };
}

function introduce(loop: EventLoop, datapath: NodeDatapath, { endpoint, node }: Introduction): void {
  if (node === undefined) throw new Error('the other end is no node');
  const internalIp = address(node.internalIp);
  loop.run(() => datapath.setPeer({ ...node, internalIp, podCidr: cidr(node.podCidr), endpoint }));
}
