/**
 * One network namespace: its devices and addresses, its routes and neighbours, and the protocols over them.
 *
 *    tcp   udp   icmp          sockets        tcp/, udp.ts, icmp.ts; all of it for IPv4 and IPv6 alike
 *      \    |    /
 *   ip-input  ip-output        + ip-forward, five netfilter hooks, reassembly
 *       |        |
 *   input()   neighbours       Ethernet, ARP, neighbour discovery
 *       \      /
 *     devices (lo, eth0, cni0, flannel.1, ...)
 *
 * A pod is a host that does not forward; a node's root namespace forwards and has hooks.
 */
import * as address from '../wire/address.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ip from '../wire/ip.ts';
import { addressBits, isInNetwork } from '../wire/ip-address.ts';
import * as ipv6 from '../wire/ipv6-address.ts';
import { type AddressHolder, ipv6Table, isIpv6 } from '../wire/ipv6-table.ts';
import type { Packet, PacketMemory } from '../wire/packet-memory.ts';
import type { ChangeObserver } from './change-observer.ts';
import type { FrameUpcall, NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { Engine } from './engine.ts';
import type { DropObserver, DropReason, NetfilterHooks, Verdict } from './hooks.ts';
import { IcmpLayer } from './icmp.ts';
import { PORT_UNREACHABLE } from './icmp-error.ts';
import { defaultBroadcast, type InterfaceAddress, isOfSameNetwork } from './interface-address.ts';
import { ipInput } from './ip-input.ts';
import { LastDelivery } from './last-delivery.ts';
import { localRouteThrough } from './local-route.ts';
import { LoopbackDevice } from './loopback.ts';
import { NeighbourTable } from './neighbour.ts';
import { PathMtuTable } from './path-mtu.ts';
import { PathProbes } from './path-probe.ts';
import { Reassembly } from './reassembly.ts';
import { Fib, type Route } from './route.ts';
import type { RoutingPolicy } from './routing-policy.ts';
import type { SocketBalancer } from './socket-balancer.ts';
import { SegmentCutter } from './super-segment.ts';
import { TcpLayer } from './tcp/tcp.ts';
import { UdpLayer } from './udp.ts';

export interface HostOptions {
  readonly engine: Engine;
  readonly memory: PacketMemory;
  /** For messages and observers: `default/web-0`, `worker-1`. */
  readonly name: string;
  /** False by default. */
  readonly ipForward?: boolean;
  /** False by default: then there is no `::1`, devices give themselves no link-local address, and IPv6 is not spoken. */
  readonly ipv6?: boolean;
  readonly hooks?: NetfilterHooks;
  readonly observer?: DropObserver;
  /** Takes packets for any address and sends from any; connections to any port go to this one's listener (as with TPROXY). */
  readonly transparentPort?: number;
  /** At least 16 bytes nobody outside knows: initial sequence numbers and ephemeral ports come from it. */
  readonly secret: Uint8Array;
}

/** A device as one of a host's: its addresses, and how ARP is done on it. */
export interface HostInterface {
  readonly device: NetDevice;
  readonly addresses: InterfaceAddress[];
  /** Answers for addresses that are routed through another device (RFC 1027). */
  proxyArp: boolean;
}

/** Packets counted; the drops stand in `Host.drops`. */
export interface HostCounters {
  ipReceived: number;
  ipDelivered: number;
  ipForwarded: number;
  ipSent: number;
  fragmentsSent: number;
  reassembled: number;
  icmpErrorsSent: number;
  udpReceived: number;
  udpSent: number;
}

export class Host implements FrameUpcall, AddressHolder {
  readonly name: string;
  readonly engine: Engine;
  readonly memory: PacketMemory;
  readonly secret: Uint8Array;
  ipForward: boolean;
  readonly transparentPort: number | null;
  readonly ipv6: boolean;
  hooks: NetfilterHooks | null;
  observer: DropObserver | null;
  /** null while nobody listens; the tables of routes and of neighbours have theirs. */
  changes: ChangeObserver | null = null;
  /** Translates Services at the socket; null where packets carry their addresses. */
  socketBalancer: SocketBalancer | null = null;
  reversePathFilter: 'off' | 'loose' | 'strict' = 'off';
  /** For what is forwarded; null where the destination alone decides. */
  routingPolicy: RoutingPolicy | null = null;
  readonly loopback: LoopbackDevice;
  readonly interfaces = new Map<NetDevice, HostInterface>();
  readonly routes = new Fib();
  readonly lastDelivery = new LastDelivery(this.routes);
  readonly neighbours: NeighbourTable;
  readonly reassembly: Reassembly;
  readonly pathMtu: PathMtuTable;
  readonly icmp: IcmpLayer;
  readonly udp: UdpLayer;
  readonly tcp: TcpLayer;
  readonly probes: PathProbes;
  readonly segmentCutter: SegmentCutter;
  /** Tunnels that end here, by IP protocol: each takes ownership of a packet at the header within. */
  readonly tunnels = new Map<number, (packet: Packet) => void>();
  readonly counters: HostCounters = {
    ipReceived: 0,
    ipDelivered: 0,
    ipForwarded: 0,
    ipSent: 0,
    fragmentsSent: 0,
    reassembled: 0,
    icmpErrorsSent: 0,
    udpReceived: 0,
    udpSent: 0,
  };
  /** Packets dropped, by reason code. */
  readonly drops = new Map<string, number>();
  /** By address (signed, as all keys of the packet path). */
  private readonly localAddresses = new Map<number, InterfaceAddress>();
  private readonly broadcasts = new Set<number>();
  /** Multicast groups that packets are taken for. */
  private groups = new Set<number>();
  private readonly localRoute: Route;
  private identification: number;

  constructor(options: HostOptions) {
    if (options.secret.length < 16) throw new Error(`host ${options.name}: the secret has fewer than 16 bytes`);
    this.name = options.name;
    this.engine = options.engine;
    this.memory = options.memory;
    this.secret = options.secret;
    this.ipForward = options.ipForward ?? false;
    this.transparentPort = options.transparentPort ?? null;
    this.ipv6 = options.ipv6 ?? false;
    this.hooks = options.hooks ?? null;
    this.observer = options.observer ?? null;
    this.identification = Math.floor(options.engine.random() * 65_536);
    this.neighbours = new NeighbourTable(this);
    this.reassembly = new Reassembly(this);
    this.pathMtu = new PathMtuTable(options.engine);
    this.icmp = new IcmpLayer(this);
    this.udp = new UdpLayer(this);
    this.tcp = new TcpLayer(this);
    this.probes = new PathProbes(this);
    this.segmentCutter = new SegmentCutter(options.memory);
    this.loopback = new LoopbackDevice(options.engine, options.memory);
    this.localRoute = localRouteThrough(this.loopback);
    this.addDevice(this.loopback);
    this.addAddress(this.loopback, address.LOOPBACK_ADDRESS, 8);
    if (this.ipv6) this.addAddress(this.loopback, ipv6.LOOPBACK_IPV6, 128);
    ipv6Table.hold(this);
  }

  /** The device's frames now come to this host's stack. */
  addDevice(device: NetDevice): HostInterface {
    const known = this.interfaces.get(device);
    if (known !== undefined) return known;
    const attached: HostInterface = { device, addresses: [], proxyArp: false };
    this.interfaces.set(device, attached);
    device.upcall = this;
    if (this.ipv6 && device.macAddress !== 0) this.addAddress(device, ipv6.linkLocalOf(device.macAddress), 64);
    return attached;
  }

  /** With it go its addresses, routes and neighbours. */
  removeDevice(device: NetDevice): void {
    const attached = this.interfaces.get(device);
    if (attached === undefined) return;
    for (const assigned of [...attached.addresses]) this.removeAddress(device, assigned.address);
    this.routes.removeDevice(device);
    this.neighbours.removeDevice(device);
    this.interfaces.delete(device);
    if (device.upcall === this) device.upcall = null;
  }

  deviceByName(name: string): NetDevice | undefined {
    for (const device of this.interfaces.keys()) if (device.name === name) return device;
    return undefined;
  }

  /** Assigns an address and adds the route to its network; a /32 or /128 has none. Nothing happens if the host has it already. */
  addAddress(
    device: NetDevice,
    local: number,
    prefixLength: number,
    broadcast = defaultBroadcast(device, local, prefixLength),
  ): void {
    if (this.localAddresses.has(local | 0)) return;
    const attached = this.addDevice(device);
    const secondary = attached.addresses.some((other) => isOfSameNetwork(other, local, prefixLength));
    const scope = this.scopeOf(device, local);
    const assigned: InterfaceAddress = { device, address: local, prefixLength, scope, secondary, broadcast };
    // The link's own address comes last: it is the one that fits only where no other does.
    let place = attached.addresses.length;
    while (place > 0 && attached.addresses[place - 1]!.scope === 'link') place--;
    attached.addresses.splice(place, 0, assigned);
    this.localAddresses.set(local | 0, assigned);
    this.broadcasts.add(address.LIMITED_BROADCAST | 0);
    this.changes?.addressChanged(assigned, false);
    if (device !== this.loopback && device.up) this.addConnectedNetwork(assigned);
    this.changes?.networkChanged(assigned, false);
    if (isIpv6(local)) this.joinGroups();
    this.routes.generation++;
  }

  private scopeOf(device: NetDevice, local: number): InterfaceAddress['scope'] {
    if (device === this.loopback) return 'host';
    return isIpv6(local) && ipv6.isLinkLocal(local) ? 'link' : 'global';
  }

  /** An IPv6 route names no source: which address fits is a question of the destination's scope too. */
  addConnectedNetwork({ device, address: local, prefixLength, secondary }: InterfaceAddress): void {
    if (!isIpv6(local) && prefixLength < 31) this.broadcasts.add(address.broadcastOf(local, prefixLength) | 0);
    if (prefixLength === addressBits(local) || secondary) return;
    const common = { destination: local, prefixLength, device, protocol: 'kernel', scope: 'link' } as const;
    this.routes.replace(isIpv6(local) ? { ...common, metric: 256 } : { ...common, source: local });
  }

  private joinGroups(): void {
    if (!this.ipv6) return;
    this.groups = new Set([ipv6.ALL_NODES]);
    if (this.ipForward) this.groups.add(ipv6.ALL_ROUTERS);
    for (const local of this.localAddresses.values()) {
      if (isIpv6(local.address)) this.groups.add(ipv6.solicitedNodeOf(local.address));
    }
  }

  /** False when the device does not have it. With the first of a network go the secondary ones, as in Linux. */
  removeAddress(device: NetDevice, local: number): boolean {
    const attached = this.interfaces.get(device);
    const index = attached?.addresses.findIndex((assigned) => assigned.address === local) ?? -1;
    if (attached === undefined || index < 0) return false;
    const assigned = attached.addresses.splice(index, 1)[0]!;
    this.localAddresses.delete(local | 0);
    this.routes.generation++;
    if (isIpv6(local)) this.joinGroups();
    this.changes?.addressChanged(assigned, true);
    if (!assigned.secondary) this.removeNetwork(attached, assigned);
    this.changes?.networkChanged(assigned, true);
    return true;
  }

  private removeNetwork(attached: HostInterface, { device, address: local, prefixLength }: InterfaceAddress): void {
    if (!isIpv6(local)) this.broadcasts.delete(address.broadcastOf(local, prefixLength) | 0);
    this.routes.remove({ destination: local, prefixLength, device, protocol: 'kernel' });
    for (const other of [...attached.addresses]) {
      if (other.secondary && isOfSameNetwork(other, local, prefixLength)) this.removeAddress(device, other.address);
    }
  }

  /** All addresses, in the order of `ip addr`. */
  addresses(): InterfaceAddress[] {
    return [...this.interfaces.values()].flatMap((attached) => attached.addresses);
  }

  /** An IPv6 group this host listens on: all nodes, all routers, or the solicited nodes of an address. */
  hasJoined(destination: number): boolean {
    return isIpv6(destination) && this.groups.has(destination);
  }

  /** One of this host's own addresses, 127.0.0.0/8 included. */
  isLocal(destination: number): boolean {
    return this.localAddresses.has(destination | 0) || address.isLoopback(destination);
  }

  /** Whether it is one of the addresses of `device`. */
  hasAddress(device: NetDevice, local: number): boolean {
    return this.localAddresses.get(local | 0)?.device === device;
  }

  /** 255.255.255.255 or the directed broadcast of a connected network. */
  isBroadcast(destination: number): boolean {
    return this.broadcasts.has(destination | 0);
  }

  /** The route a packet of this host takes: through `lo` to its own addresses (the local table), else by the FIB. */
  route(destination: number): Route | undefined {
    return this.isLocal(destination) ? this.localRoute : this.routeThrough(destination);
  }

  /** By the FIB; to a link-local address, which every link could have, through the device it is a neighbour on. */
  routeThrough(destination: number): Route | undefined {
    const route = this.routes.lookup(destination);
    if (!isIpv6(destination) || !ipv6.isLinkLocal(destination)) return route;
    for (const device of this.interfaces.keys()) {
      if (this.neighbours.lookup(device, destination) !== undefined)
        return this.routes.lookupThrough(device, destination);
    }
    return route;
  }

  /** The source address for a packet of ours along a route: RFC 1122 section 3.3.4.3, as Linux chooses. */
  sourceOf(route: Route, destination: number): number {
    if (route.source !== 0) return route.source;
    if (route.type === 'local') return destination;
    return this.sourceFor(route.device!, route.gateway === 0 ? destination : route.gateway);
  }

  /** The device's address in the network of `neighbour`, else its first of that version and scope, else any of the host's. */
  sourceFor(device: NetDevice, neighbour: number): number {
    const assigned = this.interfaces.get(device)?.addresses ?? [];
    for (const { address: own, prefixLength } of assigned) if (isInNetwork(neighbour, own, prefixLength)) return own;
    const fits = ({ address: own, scope }: InterfaceAddress): boolean =>
      isIpv6(own) === isIpv6(neighbour) && (scope === 'global' || device === this.loopback);
    const own = assigned.find(fits) ?? [...this.localAddresses.values()].find(fits);
    if (own !== undefined) return own.address;
    const ofLink = isIpv6(neighbour) ? assigned.find(({ scope }) => scope === 'link') : undefined;
    return ofLink?.address ?? address.ANY_ADDRESS;
  }

  /**
   * Whether a neighbour on `device` that asks for `target` is answered, as Linux does: with IPv4 for any address of ours or
   * by proxy, with IPv6 for the device's own.
   */
  answersFor(device: NetDevice, target: number): boolean {
    const own = this.localAddresses.get(target | 0);
    if (isIpv6(target)) return own?.device === device;
    if (own !== undefined) return own.scope === 'global';
    if (this.interfaces.get(device)?.proxyArp !== true) return false;
    const route = this.routes.lookup(target);
    return route?.device != null && route.device !== device;
  }

  /** A frame that arrived on one of the devices. Takes ownership. */
  input(device: NetDevice, frame: Packet): void {
    const { view } = this.memory;
    if (!ethernet.check(view, frame.offset, frame.length)) {
      this.drop(frame, drop.FRAME_MALFORMED, device.name);
      return;
    }
    const destination = ethernet.destination(view, frame.offset);
    if (destination !== device.macAddress && !ethernet.isGroup(destination)) {
      this.drop(frame, drop.FRAME_NOT_FOR_US, device.name);
      return;
    }
    const type = ethernet.type(view, frame.offset);
    if (type === ethernet.TYPE_IPV4 || (type === ethernet.TYPE_IPV6 && this.ipv6)) {
      frame.strip(ethernet.HEADER_BYTES);
      if (frame.length > 0 && ip.etherType(view, frame.offset) === type) ipInput(this, frame, device);
      else this.drop(frame, drop.IP_MALFORMED, device.name);
    } else if (type === ethernet.TYPE_ARP) this.neighbours.arpInput(device, frame);
    else this.drop(frame, drop.ETHERTYPE_UNKNOWN, device.name);
  }

  /** Counts, tells the observer, and frees. */
  drop(packet: Packet, reason: DropReason, where: string): void {
    this.countDrop(reason);
    this.observer?.dropped(packet, reason, where);
    this.memory.free(packet);
  }

  /** Counts a packet that never came to be, or is gone already. */
  countDrop(reason: DropReason): void {
    this.drops.set(reason.code, (this.drops.get(reason.code) ?? 0) + 1);
  }

  /** Does what a hook's verdict other than "accept" says; `packet.offset` is at the IP header. */
  refuse(packet: Packet, verdict: NonNullable<Verdict>, where: string): void {
    if ('take' in verdict) verdict.take(packet);
    else if ('reject' in verdict) {
      if (verdict.reject === 'tcp-reset') this.tcp.resetRefused(packet);
      else this.icmp.sendError(packet, PORT_UNREACHABLE);
      this.drop(packet, verdict.reason, where);
    } else this.drop(packet, verdict, where);
  }

  /** For the sweep of the table of IPv6 addresses. */
  visitAddresses(visit: (address: number) => void): void {
    for (const local of this.localAddresses.keys()) visit(local);
    for (const group of this.groups) visit(group);
    for (const holder of [
      this.routes,
      this.lastDelivery,
      this.neighbours,
      this.reassembly,
      this.pathMtu,
      this.udp,
      this.tcp,
      this.probes,
    ]) {
      holder.visitAddresses(visit);
    }
  }

  /** The identification of the next datagram. */
  nextIdentification(): number {
    this.identification = (this.identification + 1) & 0xffff;
    return this.identification;
  }
}
