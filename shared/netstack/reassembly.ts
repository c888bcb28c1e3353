/**
 * Putting fragments together (RFC 791 section 3.2, RFC 8200 section 4.5; RFC 815's result without its holes list), within bounds.
 * Overlapping fragments discard the whole datagram: nobody honest sends them (RFC 5722 for IPv6, and Linux for both).
 */
import * as ip from '../wire/ip.ts';
import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import type { Packet } from '../wire/packet-memory.ts';
import * as drop from './drop-reasons.ts';
import type { TimerHandle } from './engine.ts';
import type { Host } from './host.ts';
import { REASSEMBLY_TIME_EXCEEDED } from './icmp-error.ts';

/** Datagrams being reassembled at a time, and fragments of one of them. */
export const MAX_DATAGRAMS = 64;
export const MAX_FRAGMENTS = 128;
/** Linux' ipfrag_time. */
export const REASSEMBLY_TIMEOUT_US = 30_000_000;

interface Datagram {
  readonly key: string;
  readonly source: number;
  readonly destination: number;
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

  visitAddresses(visit: (address: number) => void): void {
    for (const { source, destination } of this.datagrams.values()) {
      visit(source);
      visit(destination);
    }
  }

  /** Datagrams that wait for fragments. */
  get size(): number {
    return this.datagrams.size;
  }

  /** Takes a fragment (`offset` at its IP header); gives the whole datagram when this was the missing one. */
  add(fragment: Packet): Packet | null {
    const { view } = this.host.memory;
    const at = fragment.offset;
    const header = this.headerOf(fragment);
    const start = ip.fragmentOffset(view, at);
    const size = fragment.length - header;
    const more = ip.moreFragments(view, at);
    if (size === 0 || (more && size % 8 !== 0) || header + start + size > ipv4.MAX_PACKET_BYTES) {
      this.host.drop(fragment, drop.FRAGMENT_MALFORMED, 'reassembly');
      return null;
    }
    if (start === 0 && !more) return this.join([fragment], size); // an atomic fragment: whole by itself, whatever has its name (RFC 6946)
    const datagram = this.datagramOf(fragment);
    if (datagram.fragments.length >= MAX_FRAGMENTS) {
      this.host.drop(fragment, drop.REASSEMBLY_FULL, 'reassembly');
      this.discard(datagram, drop.REASSEMBLY_FULL);
      return null;
    }
    if (!this.insert(datagram, fragment, start, start + size, more)) return null;
    if (datagram.receivedBytes !== datagram.totalBytes) return null;
    this.forget(datagram);
    return this.join(datagram.fragments, datagram.totalBytes);
  }

  private datagramOf(fragment: Packet): Datagram {
    const { view } = this.host.memory;
    const at = fragment.offset;
    const source = ip.source(view, at);
    const destination = ip.destination(view, at);
    // IPv6's upper layer is no part of the name (RFC 8200 section 4.5), and later fragments need not know it.
    const protocol = ip.isIpv6(view, at) ? ipv6.FRAGMENT : ipv4.protocol(view, at);
    const key = `${source} ${destination} ${protocol} ${ip.identification(view, at)}`;
    const known = this.datagrams.get(key);
    if (known !== undefined) return known;
    if (this.datagrams.size >= MAX_DATAGRAMS) {
      const [oldest] = this.datagrams.values();
      this.discard(oldest!, drop.REASSEMBLY_FULL);
    }
    const timer = this.host.engine.schedule(this.host.engine.nowUs + REASSEMBLY_TIMEOUT_US, () =>
      this.expire(datagram),
    );
    const datagram: Datagram = { key, source, destination, fragments: [], totalBytes: -1, receivedBytes: 0, timer };
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

  /** All fragments of a datagram in order, and the bytes of data in them. */
  private join(fragments: readonly Packet[], totalBytes: number): Packet | null {
    const { memory } = this.host;
    const { view, bytes } = memory;
    const first = fragments[0]!;
    const isIpv6 = ip.isIpv6(view, first.offset);
    const header = isIpv6
      ? ipv6.fragmentHeader(view, first.offset) - first.offset
      : ipv4.headerBytes(view, first.offset);
    const whole = memory.allocate(header + totalBytes);
    if (whole === undefined) {
      for (const fragment of fragments) this.host.drop(fragment, drop.NO_PACKET_MEMORY, 'reassembly');
      return null;
    }
    bytes.copyWithin(whole.offset, first.offset, first.offset + header);
    if (isIpv6) dropFragmentHeader(view, first, whole, header);
    for (const fragment of fragments) {
      const from = fragment.offset + this.headerOf(fragment);
      const to = whole.offset + header + this.startOf(fragment);
      bytes.copyWithin(to, from, fragment.offset + fragment.length);
      memory.free(fragment);
    }
    if (!isIpv6) ipv4.setFragment(view, whole.offset, whole.length, 0, false);
    whole.mayFragment = isIpv6;
    whole.networkOffset = whole.offset;
    whole.transportOffset = whole.offset + ip.headerBytes(view, whole.offset);
    this.host.counters.reassembled++;
    return whole;
  }

  /** The sender is told if the first fragment came (RFC 792). */
  private expire(datagram: Datagram): void {
    const first = datagram.fragments[0];
    if (first !== undefined && this.startOf(first) === 0) {
      this.host.icmp.sendError(first, REASSEMBLY_TIME_EXCEEDED);
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
    return ip.fragmentOffset(this.host.memory.view, fragment.offset);
  }

  private endOf(fragment: Packet): number {
    return this.startOf(fragment) + fragment.length - this.headerOf(fragment);
  }

  /** What stands before the fragment's data; IPv6's upper layer is data, also where the first fragment shows it. */
  private headerOf(fragment: Packet): number {
    const { view } = this.host.memory;
    if (!ip.isIpv6(view, fragment.offset)) return ipv4.headerBytes(view, fragment.offset);
    return ipv6.fragmentHeader(view, fragment.offset) + ipv6.FRAGMENT_HEADER_BYTES - fragment.offset;
  }
}

/** The whole packet's header is the first fragment's without the fragment header, `before` bytes behind its start. */
function dropFragmentHeader(view: DataView, first: Packet, whole: Packet, before: number): void {
  const upper = view.getUint8(first.offset + before);
  ipv6.setLastNextHeader(view, whole.offset, before, upper);
  ipv6.setTotalLength(view, whole.offset, whole.length);
}
