/** One node's kernel at work: packet memory, engine, event loop, the socket to the other nodes, and the data path over them. */
import { networkInterfaces } from 'node:os';
import { EventEngine } from '../shared/netstack/event-engine.ts';
import type { Host } from '../shared/netstack/host.ts';
import type { NodeConfig } from '../shared/runtime/config.ts';
import type { Random } from '../shared/runtime/random.ts';
import { type Ipv4Prefix, parseIpv4 } from '../shared/wire/address.ts';
import { type IpPrefix, parseAddress } from '../shared/wire/ip-address.ts';
import { ipv6Table } from '../shared/wire/ipv6-table.ts';
import { PacketMemory } from '../shared/wire/packet-memory.ts';
import type { LinkEndpoint } from './datapath/link.ts';
import type { NodeIpv6Options } from './datapath/node-options.ts';
import { connectOutside } from './datapath/outside.ts';
import { NodeDatapath } from './datapath/path.ts';
import { advertisedEndpoint } from './io/advertised-endpoint.ts';
import { EventLoop, monotonicUs } from './io/event-loop.ts';
import { type IoTier, openLink } from './io/open-link.ts';
import { openPreciseTimer } from './io/precise-timer.ts';
import type { SocketLink } from './io/socket-link.ts';

export interface NodeKernel {
  readonly memory: PacketMemory;
  readonly loop: EventLoop;
  readonly link: SocketLink;
  /** What carries the link, and why it is no faster one. */
  readonly io: { readonly tier: IoTier; readonly fallback?: string };
  readonly datapath: NodeDatapath;
  /** What is beyond the nodes, as this node's end of it. */
  readonly outside: Host;
  /** Where other nodes reach this one's socket. */
  readonly endpoint: LinkEndpoint;
  close(): void;
}

export interface KernelOptions {
  readonly node: NodeConfig;
  readonly clusterCidr: Ipv4Prefix;
  /** Of a dual-stack cluster. */
  readonly clusterCidrIpv6: IpPrefix | undefined;
  readonly bootId: string;
  readonly random: Random;
}

const SECRET_BYTES = 32;

/** Throws LinkBindError when no UDP socket can be had. */
export async function startKernel(options: KernelOptions): Promise<NodeKernel> {
  const { node, clusterCidr, bootId, random } = options;
  ipv6Table.reseed(Math.floor(random.next() * 2 ** 32));
  const memory = new PacketMemory();
  const engine = new EventEngine({ random: () => random.next() });
  const loop = new EventLoop(engine);
  const bind = { address: node.bindAddress, port: node.vxlanPort };
  const { link, ...io } = await openLink({ memory, loop, bind, tier: node.ioTier, batches: node.ioBatches });
  // The timer needs what that tier needs, and who asked for another one may have a reason.
  if (io.tier === 'polled') loop.usePreciseTimer(await openPreciseTimer());
  const secret = random.bytes(SECRET_BYTES);
  const datapath = loop.run(
    () =>
      new NodeDatapath({
        engine,
        memory,
        nodeName: node.nodeName,
        internalIp: requiredIpv4(node.internalIp),
        clusterCidr,
        ipv6: ipv6Of(options),
        link,
        bootId,
        secret,
        traceClockUs: monotonicUs,
      }),
  );
  loop.preciseDeadlineUs = () => datapath.faults.nextReleaseUs();
  const outside = connectOutside({ engine, memory, datapath, secret });
  const { advertise } = node;
  const endpoint = advertisedEndpoint({ advertise, bound: link.local, interfaces: networkInterfaces() });
  const close = (): void => {
    datapath.dispose();
    loop.close();
    link.close();
  };
  return { memory, loop, link, io, datapath, outside, endpoint, close };
}

function ipv6Of({ node, clusterCidrIpv6 }: KernelOptions): NodeIpv6Options | undefined {
  const internalIp = parseAddress(node.internalIpv6 ?? '');
  return internalIp === undefined || clusterCidrIpv6 === undefined
    ? undefined
    : { internalIp, clusterCidr: clusterCidrIpv6 };
}

function requiredIpv4(text: string): number {
  const address = parseIpv4(text);
  if (address === undefined) throw new Error(`${text} is no IPv4 address`);
  return address;
}
