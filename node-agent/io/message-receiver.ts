/**
 * The receiving end of a link whose socket is Node's. Node hands over one datagram a call; those that follow at once are
 * gathered and given to the data path together, so that a burst of TCP segments goes through it as one packet.
 *
 *   'message', one by one -> a packet, or those that the kernel joined -> onReceive
 *            , of a burst -> [run: datagrams of one size and peer, side by side] -> SegmentMerger -> onReceive
 */
import type { RemoteInfo } from 'node:dgram';
import { clearArray } from '../../shared/wire/clear-array.ts';
import { HEADROOM_BYTES, type Packet, type PacketMemory, SMALL_SLOT_BYTES } from '../../shared/wire/packet-memory.ts';
import { batchedDatagramBytes } from '../datapath/datagram-batch.ts';
import type { PeerId, UnderlayLink } from '../datapath/link.ts';
import { SegmentMerger } from '../datapath/segment-merger.ts';
import type { EventLoop } from './event-loop.ts';
import type { LinkCounters } from './link-counters.ts';
import { OneByOne } from './one-by-one.ts';
import type { PeerEndpoints } from './peer-endpoints.ts';

/** Largest UDP datagram. */
const AREA_BYTES = 65_536;
/** What a small slot holds. */
const SMALL_FRAME_BYTES = SMALL_SLOT_BYTES - HEADROOM_BYTES;

export interface MessageReceiverOptions {
  /** Whose `onReceive` is called. */
  readonly link: Pick<UnderlayLink, 'onReceive'>;
  readonly memory: PacketMemory;
  readonly loop: EventLoop;
  readonly counters: LinkCounters;
  readonly peers: PeerEndpoints;
  /** The kernel joins datagrams (UDP GRO), so that nothing need be gathered here. */
  readonly joined: boolean;
}

export class MessageReceiver {
  private readonly options: MessageReceiverOptions;
  private readonly merger: SegmentMerger;
  private readonly area: Packet;
  /** The run stands between them in the area. */
  private runStart = 0;
  private runEnd = 0;
  /** Of each datagram of the run but the last. */
  private datagramBytes = 0;
  private peer: PeerId = -1;
  private received: Packet[] = [];
  /** The other one, while the first is handed over. */
  private spare: Packet[] = [];
  private readonly oneByOne = new OneByOne(true);
  /** Messages since the immediate was set. */
  private gathered = 0;
  private immediate: NodeJS.Immediate | null = null;
  private readonly onImmediate = () => {
    this.immediate = null;
    this.oneByOne.looked(this.gathered === 1);
    this.gathered = 0;
    this.deliver();
  };

  /** Throws when packet memory has no large slot left. */
  constructor(options: MessageReceiverOptions) {
    const area = options.memory.allocate(AREA_BYTES);
    if (area === undefined) throw new Error('packet memory has no large slot to receive into');
    this.options = options;
    this.area = area;
    this.merger = new SegmentMerger(options.memory);
  }

  receive(message: Uint8Array, remote: RemoteInfo): void {
    const { peers, link, counters, joined } = this.options;
    const peer = peers.senderOf(remote.address, remote.port);
    if (peer === undefined || link.onReceive === null) {
      counters.foreignSenders++;
      return;
    }
    if (message.length === 0) return; // nobody's frame
    if (joined || this.oneByOne.takesAlone()) {
      this.takeAlone(message);
      this.handOver(peer);
      return;
    }
    if (peer !== this.peer) this.deliver();
    this.peer = peer;
    this.gathered++;
    this.append(message);
    this.immediate ??= setImmediate(this.onImmediate);
  }

  close(): void {
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.immediate = null;
    this.runEnd = this.runStart;
    const { memory } = this.options;
    for (const packet of this.received.splice(0)) memory.free(packet);
    memory.free(this.area);
  }

  /** A message that waits for no other one; it goes by way of the area if it is long, or several, or there is no room for it. */
  private takeAlone(message: Uint8Array): void {
    const { memory, counters, joined } = this.options;
    const { length } = message;
    const packet = length <= SMALL_FRAME_BYTES ? memory.allocate(length) : undefined;
    const { offset } = packet ?? this.area;
    memory.bytes.set(message, offset);
    const size = joined ? batchedDatagramBytes(memory.view, offset, length) : length;
    if (packet !== undefined && size === length) {
      counters.datagramsReceived++;
      this.received.push(packet);
      return;
    }
    this.merge(offset, length, size);
    if (packet !== undefined) memory.free(packet);
  }

  private append(message: Uint8Array): void {
    const { memory } = this.options;
    const { length } = message;
    if (this.runEnd + length > AREA_BYTES) {
      this.endRun();
      this.runStart = 0;
      this.runEnd = 0;
    }
    const at = this.area.offset + this.runEnd;
    memory.bytes.set(message, at);
    if (!this.continuesRun(length)) this.endRun();
    if (this.runEnd === this.runStart) this.datagramBytes = length;
    this.runEnd += length;
  }

  /** In a run only the last datagram may be shorter. */
  private continuesRun(length: number): boolean {
    return (this.runEnd - this.runStart) % this.datagramBytes === 0 && length <= this.datagramBytes;
  }

  /** Makes packets of the run. */
  private endRun(): void {
    const total = this.runEnd - this.runStart;
    if (total === 0) return;
    this.merge(this.area.offset + this.runStart, total, this.datagramBytes);
    this.runStart = this.runEnd;
  }

  private merge(start: number, total: number, datagramBytes: number): void {
    const { counters } = this.options;
    const lost = this.merger.take(start, total, datagramBytes, this.received);
    counters.receiveDrops += lost;
    counters.datagramsReceived += Math.ceil(total / datagramBytes) - lost;
  }

  /** The run, and from now on nothing waits. */
  private deliver(): void {
    this.endRun();
    this.runStart = 0;
    this.runEnd = 0;
    this.handOver(this.peer);
  }

  private handOver(peer: PeerId): void {
    const { received } = this;
    if (received.length === 0) return;
    this.received = this.spare;
    this.spare = received;
    const { link, loop, memory } = this.options;
    loop.enter();
    try {
      if (link.onReceive !== null) link.onReceive(peer, received);
      else for (const packet of received) memory.free(packet);
    } finally {
      clearArray(received);
      loop.leave();
    }
  }
}
