/** Captured frames on their way to a reader who may be slow: bounded, and what finds no room is counted. */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { CapturePlace } from './capture.ts';

export interface CapturedFrame {
  readonly place: CapturePlace;
  /** null for a packet that was dropped, wherever that was. */
  readonly device: NetDevice | null;
  /** Of the capture's clock. */
  readonly timeUs: number;
  /** Its own copy. */
  readonly bytes: Uint8Array;
  /** Bytes of the frame, when fewer were kept. */
  readonly wireBytes: number;
  readonly outbound: boolean;
  readonly comment: string | undefined;
}

/** What a frame costs beside its bytes. */
const FRAME_OVERHEAD_BYTES = 256;
/** Copies lie side by side in pieces of memory of this size: one for each frame costs the collector more than the copy itself. */
const PIECE_BYTES = 64 * 1024;
/** Frames that were taken are let go of when there are more of them than this. */
const MAX_TAKEN_FRAMES = 1024;

function costOf({ bytes, comment }: CapturedFrame): number {
  return bytes.length + (comment?.length ?? 0) + FRAME_OVERHEAD_BYTES;
}

export class CaptureQueue {
  /** Called when the queue was empty and no longer is. */
  onFrames: (() => void) | null = null;
  /** Frames that found no room. */
  dropped = 0;
  private readonly maxBytes: number;
  private frames: CapturedFrame[] = [];
  /** Frames before it were taken. */
  private head = 0;
  private usedBytes = 0;
  private piece = new Uint8Array(0);
  private pieceUsedBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.usedBytes;
  }

  /** Whether a frame of so many bytes would still fit: asked before it is copied. */
  hasRoom(bytes: number): boolean {
    return this.usedBytes + bytes + FRAME_OVERHEAD_BYTES <= this.maxBytes;
  }

  /** A copy for a frame that is pushed next; it shares its memory with its neighbours. */
  copyOf(view: DataView, offset: number, length: number): Uint8Array {
    if (this.pieceUsedBytes + length > this.piece.length) {
      this.piece = new Uint8Array(Math.max(PIECE_BYTES, length));
      this.pieceUsedBytes = 0;
    }
    const copy = this.piece.subarray(this.pieceUsedBytes, this.pieceUsedBytes + length);
    copy.set(new Uint8Array(view.buffer, view.byteOffset + offset, length));
    this.pieceUsedBytes += length;
    return copy;
  }

  push(frame: CapturedFrame): void {
    this.usedBytes += costOf(frame);
    this.frames.push(frame);
    if (this.frames.length - this.head === 1) this.onFrames?.();
  }

  /** The oldest frames, as many as come to `maxBytes`; all by default. */
  take(maxBytes = Number.POSITIVE_INFINITY): CapturedFrame[] {
    const start = this.head;
    let takenBytes = 0;
    while (this.head < this.frames.length && takenBytes < maxBytes) takenBytes += costOf(this.frames[this.head++]!);
    const taken = this.frames.slice(start, this.head);
    this.usedBytes -= takenBytes;
    if (this.head === this.frames.length || this.head > MAX_TAKEN_FRAMES) {
      this.frames = this.frames.slice(this.head);
      this.head = 0;
    }
    return taken;
  }
}
