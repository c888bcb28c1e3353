/**
 * One capture on a node: frames of chosen devices that pass a filter, and packets that were dropped, as copies in a bounded
 * queue. The taps (`capture-taps.ts`) call it; whoever started it takes from `queue`.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import type { PacketFilter } from '../../../shared/wire/pcap-filter/compile.ts';
import { CaptureQueue } from './capture-queue.ts';

/** A network namespace as a capture names it. */
export interface CapturePlace {
  readonly host: Host;
  /** `worker-1` or `default/web-0`. */
  readonly name: string;
}

export interface CaptureOptions {
  /** Namespaces whose devices are captured from, those that come later included. */
  readonly places: readonly CapturePlace[];
  /** Only the device of this name; all by default. */
  readonly device?: string;
  readonly filter: PacketFilter;
  /** Bytes kept of a frame; all by default. */
  readonly snapBytes?: number;
  /** Packets that were dropped in one of the places, or on their way to or from an address; none by default. */
  readonly drops?: { readonly inPlaces: boolean; readonly addresses: ReadonlySet<number> };
  /** Each frame says what connection tracking knows of it. */
  readonly comments?: boolean;
  /** Of the queue; 4 MiB by default. */
  readonly queueBytes?: number;
}

const DEFAULT_QUEUE_BYTES = 4 * 1024 * 1024;
const DEFAULT_SNAP_BYTES = 262_144;

/** A frame in some memory; the bytes are only lent. */
export interface LentFrame {
  readonly view: DataView;
  readonly offset: number;
  readonly length: number;
}

export class Capture {
  readonly options: CaptureOptions;
  readonly queue: CaptureQueue;
  /** Frames that passed the filter, whether there was room for them or not. */
  received = 0;
  private readonly clockUs: () => number;
  private readonly release: (capture: Capture) => void;

  constructor(options: CaptureOptions, clockUs: () => number, release: (capture: Capture) => void) {
    this.options = options;
    this.queue = new CaptureQueue(options.queueBytes ?? DEFAULT_QUEUE_BYTES);
    this.clockUs = clockUs;
    this.release = release;
  }

  /** What the queue holds can still be taken. */
  stop(): void {
    this.release(this);
  }

  wants(device: NetDevice): boolean {
    return this.options.device === undefined || this.options.device === device.name;
  }

  passes({ view, offset, length }: LentFrame, outbound: boolean): boolean {
    return this.options.filter(view, offset, length, length, outbound);
  }

  hasRoomFor({ length }: LentFrame): boolean {
    return this.queue.hasRoom(this.keptBytes(length));
  }

  /** A frame that passed. `comment` is asked only when there is room. */
  keep(
    place: CapturePlace,
    device: NetDevice | null,
    frame: LentFrame,
    outbound: boolean,
    comment: () => string,
  ): void {
    this.received++;
    const { view, offset, length } = frame;
    const kept = this.keptBytes(length);
    if (!this.queue.hasRoom(kept)) {
      this.queue.dropped++;
      return;
    }
    this.queue.push({
      place,
      device,
      timeUs: this.clockUs(),
      bytes: this.queue.copyOf(view, offset, kept),
      wireBytes: length,
      outbound,
      comment: this.options.comments || device === null ? comment() : undefined,
    });
  }

  private keptBytes(length: number): number {
    return Math.min(length, this.options.snapBytes ?? DEFAULT_SNAP_BYTES);
  }
}
