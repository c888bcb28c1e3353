/** Sends packets to see what becomes of them, for `podwire explain`, and awaits those of other nodes (`NODE_PROBE`). */
import { badRequest } from '../../shared/api/status.ts';
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import {
  NODE_PROBE,
  type PacketProbeReply,
  type PacketProbeRequest,
  type SentProbe,
} from '../../shared/bus/packet-probe.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { PingResult } from '../../shared/netstack/icmp.ts';
import { DEFAULT_TTL } from '../../shared/netstack/ip-output.ts';
import { formatAddress, parseAddress } from '../../shared/wire/ip-address.ts';
import { PROTOCOL_TCP, PROTOCOL_UDP } from '../../shared/wire/ipv4.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { NodeKernel } from '../kernel.ts';

/** As `ping` sends. */
const ECHO_BYTES = 56;

export function serveProbes(bus: Bus, { loop, datapath }: NodeKernel): BusSubscription {
  return bus.serve(NODE_PROBE, { node: datapath.nodeName }, (request) => {
    return new Promise<PacketProbeReply>((resolve) => loop.run(() => answer(datapath, request, resolve)));
  });
}

/** Throws ApiError. `told` is called once. */
export function answer(
  datapath: NodeDatapath,
  request: PacketProbeRequest,
  told: (reply: PacketProbeReply) => void,
): void {
  const host = hostOf(datapath, request.pod);
  if (request.action === 'send') {
    send(host, request, (result) => told(replyOf(result)));
    return;
  }
  host.probes.expect(new TextEncoder().encode(request.token), request.timeoutMs * 1000);
  told({ outcome: 'awaited' });
}

function hostOf({ root, pods }: NodeDatapath, id: string | undefined): Host {
  if (id === undefined) return root;
  const host = pods.get(id)?.host;
  if (host === undefined) throw badRequest(`pod ${id} has no network on this node`);
  return host;
}

function send(
  host: Host,
  { protocol, address: text, port, timeoutMs, token }: SentProbe,
  told: (result: PingResult) => void,
): void {
  const address = parseAddress(text);
  if (address === undefined) throw badRequest(`${text} is no address`);
  const common = { ttl: DEFAULT_TTL, timeoutUs: timeoutMs * 1000, dontFragment: false };
  if (protocol === 'icmp') {
    const identifier = Math.floor(host.engine.random() * 65_536);
    host.icmp.ping({ ...common, address, payloadBytes: ECHO_BYTES, identifier, sequence: 1 }, told);
    return;
  }
  // What a socket would be led to.
  const number = protocol === 'tcp' ? PROTOCOL_TCP : PROTOCOL_UDP;
  const backend = host.socketBalancer?.choose(number, address, port) ?? { address, port };
  if (backend === 'unreachable') told({ kind: 'error', error: 'EPERM' });
  else
    host.probes.send({ ...common, ...backend, protocol, payloadBytes: 0, payload: payloadOf(protocol, token) }, told);
}

function payloadOf(protocol: 'tcp' | 'udp', token: string): Uint8Array | undefined {
  return protocol === 'udp' ? new TextEncoder().encode(token) : undefined;
}

function replyOf(result: PingResult): PacketProbeReply {
  switch (result.kind) {
    case 'reply':
      return { outcome: result.refused === true ? 'refused' : 'answered', rttUs: result.rttUs };
    case 'unreachable':
    case 'time-exceeded':
      return { outcome: 'unreachable', detail: formatAddress(result.from) };
    case 'timeout':
      return { outcome: 'timeout' };
    case 'error':
      return { outcome: 'unsent', detail: result.error };
  }
}
