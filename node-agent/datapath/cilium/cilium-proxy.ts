/**
 * cilium's proxies as policy knows them: TCP goes to a stack of the proxy's own; datagrams of DNS are looked at as they pass,
 * so that what an answer tells is in force before the pod has it.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { DropReason, Verdict } from '../../../shared/netstack/hooks.ts';
import { ipInput } from '../../../shared/netstack/ip-input.ts';
import { DEFAULT_TTL } from '../../../shared/netstack/ip-output.ts';
import type { L7Decision } from '../../../shared/policy/l7-rules.ts';
import * as ipv4 from '../../../shared/wire/ipv4.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import * as udp from '../../../shared/wire/udp.ts';
import type { Connection, Flow } from '../flow.ts';
import type { PolicyProxy, PolicySide } from '../policy/policy-proxy.ts';
import type { DnsGate } from './dns-gate.ts';
import { endsOf } from './flow-log.ts';
import { ProxyNamespace, type ProxyParts } from './proxy-namespace.ts';

/** As cilium marks what its proxy sends. */
const PROXY_MARK = 0x0b00;
const MALFORMED = Object.freeze({ code: 'dns-malformed' });
const UNKNOWN_PROTOCOL = Object.freeze({ code: 'policy-l7-protocol' });

export class CiliumProxy implements PolicyProxy {
  readonly namespaces: Readonly<Record<PolicySide, ProxyNamespace>>;
  private readonly parts: ProxyParts;
  private readonly dns: DnsGate;
  private readonly taking: Readonly<Record<PolicySide, Verdict>>;

  constructor(parts: ProxyParts, dns: DnsGate, routeMtuBytes: number) {
    this.parts = parts;
    this.dns = dns;
    const egress = new ProxyNamespace(parts, 'egress', routeMtuBytes);
    const ingress = new ProxyNamespace(parts, 'ingress', routeMtuBytes);
    this.namespaces = { egress, ingress };
    this.taking = {
      egress: { take: (packet) => egress.take(packet) },
      ingress: { take: (packet) => ingress.take(packet) },
    };
  }

  takes({ protocol }: Connection): boolean {
    return protocol === ipv4.PROTOCOL_TCP;
  }

  take(side: PolicySide): Verdict {
    return this.taking[side];
  }

  reset(side: PolicySide, reason: DropReason): Verdict {
    return {
      take: (packet) => {
        this.parts.root.countDrop(reason);
        this.namespaces[side].reset(packet);
      },
    };
  }

  opens(device: NetDevice): PolicySide | null {
    const { egress, ingress } = this.namespaces;
    if (device === egress.device) return 'egress';
    return device === ingress.device ? 'ingress' : null;
  }

  look(packet: Packet, flow: Flow, l7: L7Decision): Verdict {
    const { connection, isReply } = flow;
    if (connection.protocol !== ipv4.PROTOCOL_UDP || l7.kind !== 'dns') return UNKNOWN_PROTOCOL;
    if (packet.mark === PROXY_MARK) return null; // a refusal on its way
    const bytes = this.payload(packet);
    const ends = endsOf(connection);
    if (isReply) return this.dns.answer(ends, bytes) ? null : MALFORMED;
    const answer = this.dns.query(ends, bytes, l7);
    if (answer === 'pass') return null;
    return answer === 'malformed' ? MALFORMED : { take: () => this.answer(packet, answer) };
  }

  private payload({ networkOffset, transportOffset }: Packet): Uint8Array {
    const { memory } = this.parts;
    const end = networkOffset + ipv4.totalLength(memory.view, networkOffset);
    return memory.bytes.slice(transportOffset + udp.HEADER_BYTES, end);
  }

  /** Turns the question into its answer, which goes the way that the server's would. */
  private answer(packet: Packet, message: Uint8Array): void {
    const { memory, conntrack, root, engine } = this.parts;
    const { view, bytes } = memory;
    const { networkOffset, transportOffset } = packet;
    const client = ipv4.source(view, networkOffset);
    const server = ipv4.destination(view, networkOffset);
    const clientPort = udp.sourcePort(view, transportOffset);
    const serverPort = udp.destinationPort(view, transportOffset);
    conntrack.confirm(packet);
    packet.offset = transportOffset;
    packet.length = udp.HEADER_BYTES + message.length;
    bytes.set(message, packet.offset + udp.HEADER_BYTES);
    udp.encode(view, packet.offset, serverPort, clientPort, packet.length);
    packet.prepend(ipv4.HEADER_BYTES);
    const { length } = packet;
    const id = root.nextIdentification();
    ipv4.encode(view, packet.offset, length, id, true, DEFAULT_TTL, ipv4.PROTOCOL_UDP, server, client, 0);
    packet.connection = null;
    packet.checksumTrusted = true;
    packet.mark = PROXY_MARK;
    const { device } = this.namespaces.egress;
    const receiver = { receive: (answer: Packet) => ipInput(root, answer, device) };
    if (!engine.enqueue(receiver, packet)) memory.free(packet);
  }
}
