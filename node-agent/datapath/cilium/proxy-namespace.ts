/**
 * Where a node's proxy for rules about content has its sockets: a stack that takes what was meant for others, and sends in
 * their names. One for each side of policy, so that the device tells on which side a connection of the proxy's was judged.
 *
 *   pod -> FORWARD: policy -> [take] -> this namespace, as the server that the pod asked for
 *   server <- FORWARD <- the node's stack <- this namespace, as the pod
 */
import { Host } from '../../../shared/netstack/host.ts';
import { DEFAULT_TTL } from '../../../shared/netstack/ip-output.ts';
import { createVethPair, type VethDevice } from '../../../shared/netstack/veth.ts';
import * as ethernet from '../../../shared/wire/ethernet.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as tcp from '../../../shared/wire/tcp.ts';
import { type Conntrack, flowOf } from '../conntrack.ts';
import { randomMac } from '../device-identity.ts';
import { bindSource, isTranslated, translate } from '../nat.ts';
import type { NetworkParts } from '../network/node-network.ts';
import type { PolicySide } from '../policy/policy-proxy.ts';
import { transmitFrame } from '../transmit-frame.ts';

/** In its namespace `lo` is 1. */
const DEVICE_INDEX = 2;
/** Where its listener is: of the range that cilium's `proxy-port-range` begins with. */
export const PROXY_PORT = 10_000;
/** Its only neighbour, which nobody else sees. */
const GATEWAY = 0xa9fe_0001; // 169.254.0.1

export type ProxyParts = Pick<
  NetworkParts,
  'engine' | 'memory' | 'root' | 'drops' | 'secret' | 'eth0' | 'nextIndex'
> & {
  readonly conntrack: Conntrack;
};

export class ProxyNamespace {
  readonly host: Host;
  /** The node's end of the cable. */
  readonly device: VethDevice;
  private readonly parts: ProxyParts;
  private readonly peerMac: number;

  /** `routeMtuBytes`: of what fits between two nodes. */
  constructor(parts: ProxyParts, side: PolicySide, routeMtuBytes: number) {
    const { engine, memory, root, drops, secret, eth0, nextIndex } = parts;
    const name = `proxy-${side}`;
    const { mtuBytes } = eth0;
    this.parts = parts;
    this.peerMac = randomMac(engine.random);
    const [device, inner] = createVethPair(
      engine,
      memory,
      { name, index: nextIndex(), macAddress: randomMac(engine.random), mtuBytes },
      { name: 'eth0', index: DEVICE_INDEX, macAddress: this.peerMac, mtuBytes },
    );
    this.device = device;
    root.addDevice(device);
    this.host = new Host({ engine, memory, name, observer: drops.of(name), secret, transparentPort: PROXY_PORT });
    this.host.addDevice(inner);
    this.host.routes.add({
      destination: 0,
      prefixLength: 0,
      gateway: GATEWAY,
      device: inner,
      onLink: true,
      mtuBytes: routeMtuBytes,
    });
    this.host.neighbours.setPermanent(inner, GATEWAY, device.macAddress);
  }

  /** A packet on its way through the node, whose connection enters the table here. Takes ownership. */
  take(packet: Packet): void {
    const { conntrack, memory, root, engine } = this.parts;
    const flow = flowOf(packet);
    if (flow !== null && !flow.connection.sourceDecided) {
      flow.connection.sourceDecided = true;
      // Of its own address: only so that the answers' tuple is nobody else's.
      const full = bindSource(conntrack, flow.connection, flow.connection.original.source >>> 0, false, engine.random);
      if (full !== null) {
        root.drop(packet, full, 'proxy');
        return;
      }
    }
    if (flow !== null && isTranslated(flow, 'source')) translate(memory, packet, flow, 'source');
    conntrack.confirm(packet);
    this.enter(packet);
  }

  /** Turns a segment that this namespace sent into the reset that the server might have answered. Takes ownership. */
  reset(packet: Packet): void {
    const { view } = this.parts.memory;
    const { networkOffset, transportOffset } = packet;
    const client = ipv4.source(view, networkOffset);
    const server = ipv4.destination(view, networkOffset);
    const clientPort = tcp.sourcePort(view, transportOffset);
    const serverPort = tcp.destinationPort(view, transportOffset);
    const sequence = tcp.acknowledgement(view, transportOffset);
    packet.offset = transportOffset;
    packet.length = tcp.HEADER_BYTES;
    packet.segmentBytes = 0;
    tcp.encode(view, packet.offset, serverPort, clientPort, sequence, 0, tcp.HEADER_BYTES, tcp.RST, 0);
    packet.prepend(ipv4.HEADER_BYTES);
    ipv4.encode(view, packet.offset, packet.length, 0, true, DEFAULT_TTL, ipv4.PROTOCOL_TCP, server, client, 0);
    packet.checksumTrusted = true;
    this.enter(packet);
  }

  private enter(packet: Packet): void {
    const { memory, root } = this.parts;
    packet.prepend(ethernet.HEADER_BYTES);
    ethernet.encode(memory.view, packet.offset, this.peerMac, this.device.macAddress, ethernet.TYPE_IPV4);
    transmitFrame(root, packet, this.device);
  }
}
