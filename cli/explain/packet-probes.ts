/**
 * Test packets: sent where nothing that is known refuses them, as a rule that somebody wrote on a node, a device that is down or
 * a program that hangs is not known otherwise. Nodes tell what became of those that were not answered.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { isApiError } from '../../shared/api/status.ts';
import { BusUnavailableError } from '../../shared/bus/bus-error.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { NODE_PROBE, type PacketProbeReply, type ProbeProtocol } from '../../shared/bus/packet-probe.ts';
import { formatEndpoint, parseAddress } from '../../shared/wire/ip-address.ts';
import type { Hop } from '../trace/hop.ts';
import type { Journey } from '../trace/journey.ts';
import { traceWhile } from '../trace/tracing.ts';
import { isOfMachine } from './live-facts.ts';

export interface WantedProbe {
  readonly client: Pod;
  readonly protocol: ProbeProtocol;
  readonly address: string;
  readonly port: number;
  /** That may get it; of a datagram it must be all. */
  readonly servers: readonly Pod[];
}

export interface ProbeOutcome {
  readonly answered: boolean;
  /** `was answered in 0.4 ms`, `was dropped on worker-1 at FORWARD: filter-drop by -A FORWARD -j DROP` */
  readonly text: string;
}

/** Between two tries waits who sent the first; the last waits for what a slow link delays. */
const TRIES_MS = [300, 700, 1500];
const AWAIT_MS = 10_000;

export function probeKey({ protocol, address, port }: Pick<WantedProbe, 'protocol' | 'address' | 'port'>): string {
  return `${protocol} ${address} ${port}`;
}

/** By `probeKey`; what could not be asked is left out. */
export async function sendProbes(
  bus: Bus,
  running: readonly string[],
  wanted: readonly WantedProbe[],
): Promise<ReadonlyMap<string, ProbeOutcome>> {
  const possible = wanted.filter((probe) => canBeSent(probe, running));
  const replies = await Promise.all(possible.map((probe) => repeated(bus, probe)));
  const outcomes = new Map<string, ProbeOutcome>();
  for (const [i, probe] of possible.entries()) {
    const reply = replies[i];
    if (reply === undefined) continue;
    const lost = reply.outcome === 'timeout' || reply.outcome === 'unreachable';
    const journey = lost ? await followed(bus, running, probe) : undefined;
    outcomes.set(probeKey(probe), { answered: reply.outcome === 'answered', text: textOf(probe, reply, journey) });
  }
  return outcomes;
}

/** Programs of the machine have its kernel's stack, which is not asked; SYNs and echoes it answers. */
function canBeSent({ client, protocol, servers }: WantedProbe, running: readonly string[]): boolean {
  const canBeAsked = ({ spec }: Pod): boolean => !isOfMachine(spec) && running.includes(spec?.nodeName ?? '');
  return canBeAsked(client) && (protocol !== 'udp' || servers.every(canBeAsked));
}

async function repeated(bus: Bus, probe: WantedProbe): Promise<PacketProbeReply | undefined> {
  let reply: PacketProbeReply | undefined;
  for (const timeoutMs of TRIES_MS) {
    reply = await once(bus, probe, timeoutMs);
    if (reply?.outcome !== 'timeout') break;
  }
  return reply;
}

/** Undefined where a node would not say, as one that was started long ago or just now. */
async function once(
  bus: Bus,
  { client, protocol, address, port, servers }: WantedProbe,
  timeoutMs: number,
): Promise<PacketProbeReply | undefined> {
  const token = `podwire explain ${crypto.randomUUID()}`;
  const nodeOf = (pod: Pod) => ({ node: pod.spec?.nodeName ?? '' });
  try {
    if (protocol === 'udp') {
      const order = { action: 'await', token, timeoutMs: AWAIT_MS } as const;
      await Promise.all(servers.map((pod) => bus.request(NODE_PROBE, nodeOf(pod), { ...order, pod: idOf(pod) })));
    }
    const order = { action: 'send', protocol, address, port, timeoutMs, token } as const;
    return await bus.request(NODE_PROBE, nodeOf(client), { ...order, pod: idOf(client) });
  } catch (error) {
    if (error instanceof BusUnavailableError || isApiError(error)) return undefined;
    throw error;
  }
}

/** Undefined for one on its node's network. */
function idOf({ metadata, spec }: Pod): string | undefined {
  return spec?.hostNetwork ? undefined : `${metadata?.namespace}/${metadata?.name}`;
}

/** Once more, with an eye on it. Undefined where as many traces run as can. */
async function followed(bus: Bus, running: readonly string[], probe: WantedProbe): Promise<Journey | undefined> {
  try {
    return await traceWhile(bus, running, [probe.address], async () => {
      await once(bus, probe, TRIES_MS[0]!);
    });
  } catch (error) {
    if (isApiError(error)) return undefined;
    throw error;
  }
}

export function textOf(probe: WantedProbe, reply: PacketProbeReply, journey: Journey | undefined): string {
  const { metadata, spec } = probe.client;
  switch (reply.outcome) {
    case 'answered':
      return `was answered in ${((reply.rttUs ?? 0) / 1000).toFixed(2)} ms`;
    case 'refused':
      return `was refused with a reset: nothing listens at ${endpointOf(probe)}`;
    case 'unsent': {
      const who = spec?.hostNetwork ? `node ${spec.nodeName}` : `pod ${metadata?.namespace}/${metadata?.name}`;
      return `could not be sent: ${who} says ${reply.detail}`;
    }
    default: {
      const place = journey === undefined ? undefined : lastPlace(journey, probe);
      const by = reply.outcome === 'unreachable' ? `, says ${reply.detail}` : '';
      return place ?? (by === '' ? 'was not answered' : `found its destination unreachable${by}`);
    }
  }
}

/** `10.244.2.7:8080`; of ICMP the address alone. */
export function endpointOf({ protocol, address, port }: Pick<WantedProbe, 'protocol' | 'address' | 'port'>): string {
  return protocol === 'icmp' ? address : formatEndpoint(parseAddress(address) ?? 0, port);
}

/** A rule that the packet matched, and went on from. */
function isRule({ stage, event }: Hop): boolean {
  return event.startsWith('-A ') || (stage.startsWith('nft ') && !event.startsWith(DROPPED));
}

/** Where it was dropped, or was seen last. */
function lastPlace({ hops }: Journey, probe: WantedProbe): string | undefined {
  const protocol = probe.protocol.toUpperCase();
  const own = hops.filter((hop) => hop.packet.startsWith(protocol) && !isRule(hop));
  const drop = own.find(({ event }) => event.startsWith(DROPPED));
  if (drop?.stage.startsWith(OUTSIDE)) return `left the cluster by the default route of ${drop.node}`;
  if (drop !== undefined) return `was dropped ${placeOf(drop)}: ${drop.event.slice(DROPPED.length)}`;
  const last = own.at(-1);
  return last === undefined ? undefined : `was not answered; it was last seen ${placeOf(last)}, ${last.event}`;
}

const DROPPED = 'dropped: ';
/** The name of what stands at a node's eth0 for all that is no node. */
const OUTSIDE = 'outside ';

/** Stages of a stack begin with whose it is: `worker-1 forward`, `shop/web tcp`. */
function placeOf({ node, stage }: Hop): string {
  return `on ${node} at ${stage.startsWith(`${node} `) ? stage.slice(node.length + 1) : stage}`;
}
