/**
 * The neighbour table of one host: which MAC an address on a link has, learned by ARP (RFC 826) or by neighbour discovery
 * (neighbour-discovery.ts) and kept in the states of RFC 4861 section 7.3.2, which Linux applies to IPv4 too.
 *
 *   INCOMPLETE -reply-> REACHABLE -time-> STALE -use-> DELAY -time-> PROBE -reply-> REACHABLE
 *        \--no answer-> FAILED                                         \--no answer-> FAILED
 */
import * as arp from '../wire/arp.ts';
import * as ethernet from '../wire/ethernet.ts';
import * as ip from '../wire/ip.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import type { Packet } from '../wire/packet-memory.ts';
import { Alarm } from './alarm.ts';
import type { NeighbourObserver } from './change-observer.ts';
import type { NetDevice } from './device.ts';
import * as drop from './drop-reasons.ts';
import type { Host } from './host.ts';
import { HOST_UNREACHABLE } from './icmp-error.ts';
import { sendAnnouncement, sendSolicitation } from './neighbour-discovery.ts';

export type NeighbourState = 'INCOMPLETE' | 'REACHABLE' | 'STALE' | 'DELAY' | 'PROBE' | 'FAILED' | 'PERMANENT';

/** Entries one host may hold (Linux' gc_thresh3 is 1024; a node here may carry a thousand pods). */
export const MAX_NEIGHBOURS = 4096;
/** Packets that wait for one answer. */
export const MAX_WAITING_PACKETS = 64;
/** Requests before an entry fails, and the time between two of them. */
export const MAX_PROBES = 3;
export const PROBE_INTERVAL_US = 1_000_000;
/** How long a confirmation holds, and how long a stale entry is used before it is probed. */
export const REACHABLE_TIME_US = 30_000_000;
export const DELAY_TIME_US = 5_000_000;
/** An entry that learned a MAC keeps it this long against another one (Linux' locktime). */
const LOCK_TIME_US = 1_000_000;

export class Neighbour {
  readonly device: NetDevice;
  readonly address: number;
  macAddress = 0;
  state: NeighbourState = 'INCOMPLETE';
  confirmedUs = 0;
  updatedUs = 0;
  usedUs = 0;
  probes = 0;
  waiting: Packet[] = [];
  alarm: Alarm | null = null;

  constructor(device: NetDevice, address: number) {
    this.device = device;
    this.address = address;
  }
}

/** How a neighbour was heard of. */
export interface Hearing {
  /** It spoke to us (RFC 826's merge; arp_accept is off, as in Linux). */
  readonly mayCreate: boolean;
  /** It answered us, so it hears us too. */
  readonly solicited: boolean;
  /** What is known gives way (RFC 4861 section 7.2.5). */
  readonly overrides: boolean;
}

export class NeighbourTable {
  /** null while nobody listens. */
  observer: NeighbourObserver | null = null;
  private readonly host: Host;
  private readonly byDevice = new Map<NetDevice, Map<number, Neighbour>>();
  private entries = 0;
  /** The entries asked for last: a pod speaks to few, and a node carries a connection between two. */
  private recent: Neighbour | null = null;
  private previous: Neighbour | null = null;

  constructor(host: Host) {
    this.host = host;
  }

  get size(): number {
    return this.entries;
  }

  lookup(device: NetDevice, address: number): Neighbour | undefined {
    const known = this.recentOf(device, address);
    if (known !== null) return known;
    const entry = this.byDevice.get(device)?.get(address | 0);
    if (entry !== undefined) {
      this.previous = this.recent;
      this.recent = entry;
    }
    return entry;
  }

  /** One of the neighbours asked for last, which are found at once. */
  recentOf(device: NetDevice, address: number): Neighbour | null {
    const { recent, previous } = this;
    if (recent !== null && recent.address === address && recent.device === device) return recent;
    if (previous !== null && previous.address === address && previous.device === device) return previous;
    return null;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const entries of this.byDevice.values()) for (const address of entries.keys()) visit(address);
  }

  /** In the order of `ip neigh`: by device, then as they were learned. */
  list(): Neighbour[] {
    const all: Neighbour[] = [];
    for (const entries of this.byDevice.values()) for (const entry of entries.values()) all.push(entry);
    for (const entry of all) this.age(entry);
    return all;
  }

  /** An entry that neither ages nor is learned over: `ip neigh replace ADDRESS lladdr MAC dev DEVICE nud permanent`. */
  setPermanent(device: NetDevice, address: number, macAddress: number): void {
    this.assign(device, address, macAddress, 'PERMANENT');
  }

  /** `ip neigh replace` with any of the states that an administrator may say; what is not permanent goes on as if it were learned. */
  assign(device: NetDevice, address: number, macAddress: number, state: 'PERMANENT' | 'REACHABLE' | 'STALE'): void {
    const entry = this.lookup(device, address) ?? this.create(device, address);
    if (entry === undefined) return;
    entry.macAddress = macAddress;
    if (state === 'REACHABLE') this.becomeReachable(entry);
    else this.become(entry, state);
    this.flushWaiting(entry);
  }

  /** False when there was none. Packets that wait for the answer are dropped. */
  remove(device: NetDevice, address: number): boolean {
    const entry = this.lookup(device, address);
    if (entry === undefined) return false;
    this.become(entry, 'FAILED');
    this.discard(entry);
    return true;
  }

  removeDevice(device: NetDevice): void {
    for (const entry of [...(this.byDevice.get(device)?.values() ?? [])]) this.discard(entry);
    this.byDevice.delete(device);
  }

  /**
   * Puts the Ethernet header before an IP packet and transmits it, at once or when `nextHop` has answered. Takes ownership.
   */
  send(device: NetDevice, nextHop: number, packet: Packet): void {
    const entry = this.lookup(device, nextHop) ?? this.create(device, nextHop);
    if (entry === undefined) {
      this.host.drop(packet, drop.NEIGHBOUR_TABLE_FULL, 'neighbour');
      return;
    }
    this.sendTo(entry, packet);
  }

  /** The same to one that was looked up just now. */
  sendTo(entry: Neighbour, packet: Packet): void {
    entry.usedUs = this.host.engine.nowUs;
    if (entry.state === 'REACHABLE') this.age(entry);
    if (entry.state === 'STALE') this.startDelay(entry);
    if (entry.state === 'FAILED' || entry.state === 'INCOMPLETE') {
      this.wait(entry, packet);
      if (entry.state === 'FAILED' || entry.probes === 0) this.startResolving(entry);
      return;
    }
    transmitIp(this.host, entry.device, entry.macAddress, packet);
  }

  /** Something above IP heard from the neighbour (RFC 4861 section 7.3.1): saves the probe. */
  confirm(device: NetDevice, address: number): void {
    const entry = this.lookup(device, address);
    if (entry !== undefined && (entry.state === 'STALE' || entry.state === 'DELAY' || entry.state === 'PROBE')) {
      this.becomeReachable(entry);
    }
  }

  /** Tells the link of an address of ours: a gratuitous request or advertisement, which others learn from and nobody answers. */
  announce(device: NetDevice, address: number): void {
    if (isIpv6(address)) sendAnnouncement(this.host, device, address);
    else this.sendArp(device, arp.REQUEST, ethernet.BROADCAST, address, 0, address);
  }

  /** An ARP frame whose Ethernet header stands at `frame.offset`. Takes ownership. */
  arpInput(device: NetDevice, frame: Packet): void {
    const { view } = this.host.memory;
    const at = frame.offset + ethernet.HEADER_BYTES;
    if (!arp.check(view, at, frame.length - ethernet.HEADER_BYTES)) {
      this.host.drop(frame, drop.ARP_MALFORMED, 'arp');
      return;
    }
    const operation = arp.operation(view, at);
    const senderIp = arp.senderIp(view, at);
    const senderMac = arp.senderMac(view, at);
    const targetIp = arp.targetIp(view, at);
    this.host.memory.free(frame);
    if (ethernet.isGroup(senderMac) || isIpv6(senderIp) || isIpv6(targetIp)) return;
    const forUs = this.host.answersFor(device, targetIp);
    if (senderIp !== 0) {
      const solicited = operation === arp.REPLY && forUs;
      this.heard(device, senderIp, senderMac, { mayCreate: forUs, solicited, overrides: true });
    }
    // What comes back of our own is no question (Linux: a martian source).
    const isAsked = operation === arp.REQUEST && forUs && !this.host.isLocal(senderIp);
    if (isAsked) this.sendArp(device, arp.REPLY, senderMac, targetIp, senderMac, senderIp);
  }

  /** What a neighbour said of itself. For ARP and neighbour discovery. */
  heard(device: NetDevice, address: number, mac: number, how: Hearing): void {
    let entry = this.lookup(device, address);
    if (entry === undefined) {
      if (!how.mayCreate || this.host.isLocal(address) || this.host.isBroadcast(address)) return;
      entry = this.create(device, address);
      if (entry === undefined) return;
    }
    if (entry.state === 'PERMANENT') return;
    const now = this.host.engine.nowUs;
    const changed = entry.macAddress !== mac;
    const known = entry.state !== 'INCOMPLETE' && entry.state !== 'FAILED';
    if (known && changed && now - entry.updatedUs < LOCK_TIME_US) return;
    if (known && changed && !how.overrides) {
      if (entry.state === 'REACHABLE') this.become(entry, 'STALE');
      return;
    }
    entry.macAddress = mac;
    if (changed) entry.updatedUs = now;
    if (how.solicited) this.becomeReachable(entry, changed);
    else if (changed || !known) this.become(entry, 'STALE');
    this.flushWaiting(entry);
  }

  private becomeReachable(entry: Neighbour, changed = true): void {
    entry.confirmedUs = this.host.engine.nowUs;
    entry.probes = 0;
    if (changed || entry.state !== 'REACHABLE') this.become(entry, 'REACHABLE');
  }

  /** A state in which nothing is asked. */
  private become(entry: Neighbour, state: NeighbourState): void {
    entry.state = state;
    entry.alarm?.clear();
    this.observer?.neighbourChanged(entry, false);
  }

  private age(entry: Neighbour): void {
    if (entry.state === 'REACHABLE' && this.host.engine.nowUs - entry.confirmedUs > REACHABLE_TIME_US) {
      this.become(entry, 'STALE');
    }
  }

  private startDelay(entry: Neighbour): void {
    entry.state = 'DELAY';
    this.alarmOf(entry).set(this.host.engine.nowUs + DELAY_TIME_US);
  }

  private startResolving(entry: Neighbour): void {
    entry.state = 'INCOMPLETE';
    entry.probes = 0;
    this.probe(entry);
  }

  private alarmOf(entry: Neighbour): Alarm {
    entry.alarm ??= new Alarm(this.host.engine, () => this.ring(entry));
    return entry.alarm;
  }

  private ring(entry: Neighbour): void {
    if (entry.state === 'DELAY') {
      this.become(entry, 'PROBE');
      entry.probes = 0;
    }
    if (entry.probes < MAX_PROBES) this.probe(entry);
    else this.fail(entry);
  }

  /** Asks everyone while nothing is known, the neighbour alone to see whether it is still there. */
  private probe(entry: Neighbour): void {
    const { device, address } = entry;
    entry.probes++;
    this.alarmOf(entry).set(this.host.engine.nowUs + PROBE_INTERVAL_US);
    const known = entry.state === 'PROBE' ? entry.macAddress : undefined;
    if (isIpv6(address)) {
      sendSolicitation(this.host, device, address, known);
      return;
    }
    const to = known ?? ethernet.BROADCAST;
    this.sendArp(device, arp.REQUEST, to, this.host.sourceFor(device, address), 0, address);
  }

  private fail(entry: Neighbour): void {
    this.become(entry, 'FAILED');
    const waiting = entry.waiting;
    entry.waiting = [];
    for (const packet of waiting) {
      this.host.icmp.sendError(packet, HOST_UNREACHABLE);
      this.host.drop(packet, drop.NEIGHBOUR_FAILED, 'neighbour');
    }
  }

  private wait(entry: Neighbour, packet: Packet): void {
    if (entry.waiting.length >= MAX_WAITING_PACKETS) {
      this.host.drop(entry.waiting.shift()!, drop.NEIGHBOUR_QUEUE_FULL, 'neighbour');
    }
    entry.waiting.push(packet);
  }

  private flushWaiting(entry: Neighbour): void {
    if (entry.waiting.length === 0) return;
    const waiting = entry.waiting;
    entry.waiting = [];
    for (const packet of waiting) transmitIp(this.host, entry.device, entry.macAddress, packet);
  }

  private create(device: NetDevice, address: number): Neighbour | undefined {
    if (this.entries >= MAX_NEIGHBOURS && !this.evict()) return undefined;
    const entry = new Neighbour(device, address);
    entry.usedUs = this.host.engine.nowUs;
    let entries = this.byDevice.get(device);
    if (entries === undefined) {
      entries = new Map();
      this.byDevice.set(device, entries);
    }
    entries.set(address | 0, entry);
    this.entries++;
    return entry;
  }

  /** Makes room: the entry unused for longest among those that nothing depends on. */
  private evict(): boolean {
    let oldest: Neighbour | undefined;
    for (const entry of this.list()) {
      if (entry.state !== 'STALE' && entry.state !== 'FAILED') continue;
      if (oldest === undefined || entry.usedUs < oldest.usedUs) oldest = entry;
    }
    if (oldest === undefined) return false;
    this.discard(oldest);
    return true;
  }

  private discard(entry: Neighbour): void {
    entry.alarm?.dispose();
    if (this.recent === entry) this.recent = null;
    if (this.previous === entry) this.previous = null;
    this.byDevice.get(entry.device)?.delete(entry.address | 0);
    this.entries--;
    this.observer?.neighbourChanged(entry, true);
    for (const packet of entry.waiting) this.host.drop(packet, drop.NEIGHBOUR_FAILED, 'neighbour');
    entry.waiting = [];
  }

  private sendArp(
    device: NetDevice,
    operation: number,
    to: number,
    ourIp: number,
    theirMac: number,
    theirIp: number,
  ): void {
    const { memory } = this.host;
    const frame = memory.allocate(ethernet.HEADER_BYTES + arp.PACKET_BYTES);
    if (frame === undefined) {
      this.host.countDrop(drop.NO_PACKET_MEMORY);
      return;
    }
    const { view } = memory;
    ethernet.encode(view, frame.offset, to, device.macAddress, ethernet.TYPE_ARP);
    arp.encode(view, frame.offset + ethernet.HEADER_BYTES, operation, device.macAddress, ourIp, theirMac, theirIp);
    device.transmit(frame);
  }
}

/** Prepends the Ethernet header and hands the frame to the device. */
export function transmitIp(host: Host, device: NetDevice, macAddress: number, packet: Packet): void {
  const { view } = host.memory;
  const type = ip.etherType(view, packet.offset);
  packet.prepend(ethernet.HEADER_BYTES);
  ethernet.encode(view, packet.offset, macAddress, device.macAddress, type);
  device.transmit(packet);
}
