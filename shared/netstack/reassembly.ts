/**
 * Putting IPv4 fragments together (RFC 791 section 3.2, RFC 815's result without its holes list), within bounds.
 * Overlapping fragments discard the whole datagram: nobody honest sends them (RFC 5722 for IPv6, and Linux for both).
 */
import * as icmp from '../wire/icmp.ts';
import * as ipv4 from '../wire/ipv4.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as drop from './drop-reasons.ts';
import type { TimerHandle } from './engine.ts';
import type { Host } from './host.ts';

/** Datagrams being reassembled at a time, and fragments of one of them. */
export const MAX_DATAGRAMS = 64;
export const MAX_FRAGMENTS = 128;
/** Linux' ipfrag_time. */
export const REASSEMBLY_TIMEOUT_US = 30_000_000;

interface Datagram {
  readonly key: string;
  /** Sorted by fragment offset, no two overlapping. */
  readonly fragments: Packet[];
  /** Bytes of data of the whole; -1 until the last fragment came. */
  totalBytes: number;
  receivedBytes: number;
  readonly timer: TimerHandle;
}

export class Reassembly {
  private readonly host: Host;
  private readonly datagrams = new Map<string, Datagram>();

  constructor(host: Host) {
    this.host = host;
  }

  /** Datagrams that wait for fragments. */
  get size(): number {
    return this.datagrams.size;
  }

  /** Takes a fragment (`offset` at its IP header); gives the whole datagram when this was the missing one. */
  add(fragment: Packet): Packet | null {
    const { view } = this.host.memory;
    const at = fragment.offset;
    const header = ipv4.headerBytes(view, at);
    const start = ipv4.fragmentOffset(view, at);
    const size = fragment.length - header;
    const more = ipv4.moreFragments(view, at);
    if (size === 0 || (more && size % 8 !== 0) || header + start + size > ipv4.MAX_PACKET_BYTES) {
      this.host.drop(fragment, drop.FRAGMENT_MALFORMED, 'reassembly');
      return null;
    }
    const datagram = this.datagramOf(fragment);
    if (datagram.fragments.length >= MAX_FRAGMENTS) {
      this.host.drop(fragment, drop.REASSEMBLY_FULL, 'reassembly');
      this.discard(datagram, drop.REASSEMBLY_FULL);
      return null;
    }
    if (!this.insert(datagram, fragment, start, start + size, more)) return null;
    if (datagram.receivedBytes !== datagram.totalBytes) return null;
    return this.join(datagram);
  }

  private datagramOf(fragment: Packet): Datagram {
    const { view } = this.host.memory;
    const at = fragment.offset;
    const key = `${ipv4.source(view, at)} ${ipv4.destination(view, at)} ${ipv4.protocol(view, at)} ${ipv4.identification(view, at)}`;
    const known = this.datagrams.get(key);
    if (known !== undefined) return known;
    if (this.datagrams.size >= MAX_DATAGRAMS) {
      const [oldest] = this.datagrams.values();
      this.discard(oldest!, drop.REASSEMBLY_FULL);
    }
    const timer = this.host.engine.schedule(this.host.engine.nowUs + REASSEMBLY_TIMEOUT_US, () =>
      this.expire(datagram),
    );
    const datagram: Datagram = { key, fragments: [], totalBytes: -1, receivedBytes: 0, timer };
    this.datagrams.set(key, datagram);
    return datagram;
  }

  /** False when the fragment was a duplicate, or contradicted what is there and took the datagram with it. */
  private insert(datagram: Datagram, fragment: Packet, start: number, end: number, more: boolean): boolean {
    const { fragments } = datagram;
    let index = fragments.length;
    while (index > 0 && this.startOf(fragments[index - 1]!) >= start) index--;
    const next = fragments[index];
    if (next !== undefined && this.startOf(next) === start && this.endOf(next) === end) {
      this.host.memory.free(fragment);
      return false;
    }
    const previous = fragments[index - 1];
    const overlaps =
      (previous !== undefined && this.endOf(previous) > start) || (next !== undefined && this.startOf(next) < end);
    const pastEnd = datagram.totalBytes >= 0 && (end > datagram.totalBytes || (!more && end !== datagram.totalBytes));
    const cutsOff = !more && fragments.length > 0 && this.endOf(fragments[fragments.length - 1]!) > end;
    if (overlaps || pastEnd || cutsOff) {
      this.host.drop(fragment, drop.FRAGMENT_MALFORMED, 'reassembly');
      this.discard(datagram, drop.FRAGMENT_MALFORMED);
      return false;
    }
    fragments.splice(index, 0, fragment);
    datagram.receivedBytes += end - start;
    if (!more) datagram.totalBytes = end;
    return true;
  }

  private join(datagram: Datagram): Packet | null {
    const { memory } = this.host;
    const { view, bytes } = memory;
    this.forget(datagram);
    const first = datagram.fragments[0]!;
    const header = ipv4.headerBytes(view, first.offset);
    const whole = memory.allocate(header + datagram.totalBytes);
    if (whole === undefined) {
      for (const fragment of datagram.fragments) this.host.drop(fragment, drop.NO_PACKET_MEMORY, 'reassembly');
      return null;
    }
    bytes.copyWithin(whole.offset, first.offset, first.offset + header);
    for (const fragment of datagram.fragments) {
      const from = fragment.offset + ipv4.headerBytes(view, fragment.offset);
      const to = whole.offset + header + this.startOf(fragment);
      bytes.copyWithin(to, from, fragment.offset + fragment.length);
      memory.free(fragment);
    }
    ipv4.setFragment(view, whole.offset, whole.length, 0, false);
    whole.networkOffset = whole.offset;
    this.host.counters.reassembled++;
    return whole;
  }

  /** The sender is told if the first fragment came (RFC 792). */
  private expire(datagram: Datagram): void {
    const first = datagram.fragments[0];
    if (first !== undefined && this.startOf(first) === 0) {
      this.host.icmp.sendError(first, icmp.TIME_EXCEEDED, icmp.CODE_REASSEMBLY_TIME_EXCEEDED);
    }
    this.discard(datagram, drop.REASSEMBLY_TIMEOUT);
  }

  private discard(datagram: Datagram, reason: typeof drop.REASSEMBLY_FULL): void {
    this.forget(datagram);
    for (const fragment of datagram.fragments) this.host.drop(fragment, reason, 'reassembly');
  }

  private forget(datagram: Datagram): void {
    datagram.timer.cancel();
    this.datagrams.delete(datagram.key);
  }

  private startOf(fragment: Packet): number {
    return ipv4.fragmentOffset(this.host.memory.view, fragment.offset);
  }

  private endOf(fragment: Packet): number {
    return this.startOf(fragment) + fragment.length - ipv4.headerBytes(this.host.memory.view, fragment.offset);
  }
}
