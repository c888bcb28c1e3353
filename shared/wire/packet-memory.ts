/**
 * Packet memory: one WebAssembly slab that holds every frame of a process, and the handles (`Packet`) that point into it.
 *
 *   slot:  | headroom (128) | frame ....................... | tailroom |
 *                           ^ packet.offset   packet.length
 *
 * Frames are never copied on their way through a process: layers move `offset` to strip or to prepend headers, and hand
 * the same `Packet` on. Whoever is given a packet owns it: passes it on, queues it, or frees it; exactly one of the three.
 * The slab never grows, so `bytes` and `view` stay valid for the life of the process; untouched pages cost no memory.
 */

import { createSumRange, type SumRange } from './checksum.ts';

/** Bytes kept free before a frame, so that an outer Ethernet/IP/UDP/VXLAN header (50) and IPIP can be prepended. */
export const HEADROOM_BYTES = 128;
/** A slot of the small class holds any frame of the usual MTUs (1500 and below) with its headroom. */
export const SMALL_SLOT_BYTES = 2048;
/** A slot of the large class holds jumbo frames and super-segments (64 KiB and headers). */
export const LARGE_SLOT_BYTES = 66_560;

/** Copies for programs are cut from slabs of this size: an ArrayBuffer of its own costs ten times the copy of a segment. */
const COPY_SLAB_BYTES = 65_536;
/** Longer ones get an ArrayBuffer of their own, so that a slab is not half wasted. */
const MAX_SLAB_COPY_BYTES = 8192;

/** A frame in packet memory. Objects are pooled with their slot: never keep one after it was passed on or freed. */
export class Packet {
  readonly slotStart: number;
  readonly slotEnd: number;
  /** Where the frame (or, inside a layer, the current header) starts in packet memory. */
  offset = 0;
  /** Bytes from `offset` to the end of the frame. */
  length = 0;
  /** Offset of the network header; set by the link layer on input and by the IP layer on output. */
  networkOffset = 0;
  /** Offset of the transport header; set together with `networkOffset` once the IP header was checked. */
  transportOffset = 0;
  /** Netfilter mark (`0x4000` masquerade, as kube-proxy sets it). */
  mark = 0;
  /** The connection-tracking entry this packet belongs to; owned by the hook that set it. */
  connection: object | null = null;
  /** Nothing of that entry is translated or left to decide, so that hooks need not look at it; set with it. */
  isSettled = false;
  /**
   * True while the transport payload is known good and its checksum field may be stale: nobody in this process computes
   * or verifies it. What leaves the process goes through `completeChecksums` first.
   */
  checksumTrusted = false;
  /**
   * May be cut into fragments though its header cannot say so: an IPv6 packet of this host's own, or one whose fragments
   * were put together here.
   */
  mayFragment = false;
  /** Payload bytes of each segment of a TCP super-segment; 0 for a packet that is sent as it is. */
  segmentBytes = 0;
  /** Free-list link and state; only packet memory touches them. */
  nextFree: Packet | null = null;
  inUse = false;

  constructor(slotStart: number, slotEnd: number) {
    this.slotStart = slotStart;
    this.slotEnd = slotEnd;
  }

  /** Bytes that can still be prepended. */
  get headroomBytes(): number {
    return this.offset - this.slotStart;
  }

  /** Makes room for `size` bytes of header before the frame. The caller knows that the headroom suffices. */
  prepend(size: number): void {
    this.offset -= size;
    this.length += size;
  }

  /** Strips `size` bytes from the front of the frame. */
  strip(size: number): void {
    this.offset += size;
    this.length -= size;
  }
}

export interface PacketMemoryOptions {
  /** Slots of 2 KiB; 8192 by default (16 MiB of address space, touched only when used). */
  readonly smallSlots?: number;
  /** Slots of 65 KiB; 256 by default. */
  readonly largeSlots?: number;
}

const WASM_PAGE_BYTES = 65_536;

/** The slots of one size. A slot's handle is made when it is first needed: most of a quiet node's never are. */
class SlotClass {
  private readonly startOffset: number;
  private readonly slotBytes: number;
  private readonly slots: number;
  private made = 0;
  private firstFree: Packet | null = null;

  constructor(startOffset: number, slotBytes: number, slots: number) {
    this.startOffset = startOffset;
    this.slotBytes = slotBytes;
    this.slots = slots;
  }

  /** The slot that was given back last, as its bytes are still in the processor's cache. */
  take(): Packet | undefined {
    const packet = this.firstFree;
    if (packet !== null) {
      this.firstFree = packet.nextFree;
      packet.nextFree = null;
      return packet;
    }
    if (this.made === this.slots) return undefined;
    const start = this.startOffset + this.made++ * this.slotBytes;
    return new Packet(start, start + this.slotBytes);
  }

  giveBack(packet: Packet): void {
    packet.nextFree = this.firstFree;
    this.firstFree = packet;
  }
}

export class PacketMemory {
  readonly wasm: WebAssembly.Memory;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  /** The Internet checksum's sum over a range of this memory (`checksum.ts`). */
  readonly sum: SumRange;
  /** Slots in all, and those of them that are large. */
  readonly capacity: number;
  readonly largeSlots: number;
  private readonly small: SlotClass;
  private readonly large: SlotClass;
  private used = 0;
  private slab = new Uint8Array(0);
  private slabUsed = 0;

  constructor(options: PacketMemoryOptions = {}) {
    const smallSlots = options.smallSlots ?? 8192;
    const largeSlots = options.largeSlots ?? 256;
    const totalBytes = smallSlots * SMALL_SLOT_BYTES + largeSlots * LARGE_SLOT_BYTES;
    const pages = Math.ceil(totalBytes / WASM_PAGE_BYTES);
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.bytes = new Uint8Array(this.wasm.buffer);
    this.view = new DataView(this.wasm.buffer);
    this.sum = createSumRange(this.wasm);
    this.capacity = smallSlots + largeSlots;
    this.largeSlots = largeSlots;
    this.small = new SlotClass(0, SMALL_SLOT_BYTES, smallSlots);
    this.large = new SlotClass(smallSlots * SMALL_SLOT_BYTES, LARGE_SLOT_BYTES, largeSlots);
  }

  /** Packets in use now. */
  get inUse(): number {
    return this.used;
  }

  /**
   * A packet of `length` bytes with full headroom, its bytes not cleared; undefined when the class is exhausted
   * (the caller counts a drop) or `length` exceeds the large class.
   */
  allocate(length: number): Packet | undefined {
    let packet: Packet | undefined;
    if (length <= SMALL_SLOT_BYTES - HEADROOM_BYTES) packet = this.small.take();
    else if (length <= LARGE_SLOT_BYTES - HEADROOM_BYTES) packet = this.large.take();
    if (packet === undefined) return undefined;
    packet.inUse = true;
    packet.offset = packet.slotStart + HEADROOM_BYTES;
    packet.length = length;
    packet.networkOffset = 0;
    packet.transportOffset = 0;
    packet.mark = 0;
    packet.connection = null;
    packet.isSettled = false;
    packet.checksumTrusted = false;
    packet.segmentBytes = 0;
    packet.mayFragment = false;
    this.used++;
    return packet;
  }

  /** Returns a packet to its pool. Freeing twice is a bug and throws. */
  free(packet: Packet): void {
    if (!packet.inUse) throw new Error('packet freed twice');
    packet.inUse = false;
    packet.connection = null;
    this.used--;
    if (packet.slotEnd - packet.slotStart === SMALL_SLOT_BYTES) this.small.giveBack(packet);
    else this.large.giveBack(packet);
  }

  /** A range as it stands in packet memory: for as long as its packet is there. */
  lend(offset: number, length: number): Uint8Array {
    return this.bytes.subarray(offset, offset + length);
  }

  /** A copy of a range that outlives its packet. */
  copyOut(offset: number, length: number): Uint8Array {
    return this.copyOf(this.lend(offset, length));
  }

  /** A copy for a program; it may share its ArrayBuffer with other copies, but no byte. */
  copyOf(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    // Not `slice`, which clears the memory that it then fills.
    if (length > MAX_SLAB_COPY_BYTES) return new Uint8Array(bytes);
    if (this.slabUsed + length > this.slab.length) {
      this.slab = new Uint8Array(COPY_SLAB_BYTES);
      this.slabUsed = 0;
    }
    const copy = this.slab.subarray(this.slabUsed, this.slabUsed + length);
    this.slabUsed += length;
    copy.set(bytes);
    return copy;
  }

  /** A second packet with the same bytes and metadata (flooding a bridge, duplicating on a link). */
  clone(packet: Packet): Packet | undefined {
    const copy = this.allocate(packet.length);
    if (copy === undefined) return undefined;
    this.bytes.copyWithin(copy.offset, packet.offset, packet.offset + packet.length);
    const shift = copy.offset - packet.offset;
    copy.networkOffset = packet.networkOffset + shift;
    copy.transportOffset = packet.transportOffset + shift;
    copy.mark = packet.mark;
    copy.checksumTrusted = packet.checksumTrusted;
    copy.segmentBytes = packet.segmentBytes;
    copy.mayFragment = packet.mayFragment;
    return copy;
  }
}
