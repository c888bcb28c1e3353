/**
 * An array of `struct mmsghdr` with everything it points to, as `sendmmsg` and `recvmmsg` take it on 64-bit Linux:
 *
 *   | mmsghdr (64) x count | sockaddr_in (16) x count | control (24) x count | iovec (16) x parts |
 */
import { AF_INET, type SocketEndpoint } from './native-socket.ts';

/** From one message of the array to the next. */
export const HEADER_BYTES = 64;
const NAME_BYTES = 16;
/** One control message of up to 8 bytes: CMSG_SPACE(8). */
const CONTROL_BYTES = 24;
const PART_BYTES = 16;

const NAME = 0;
const NAME_LENGTH = 8;
const PARTS = 16;
const PART_COUNT = 24;
const CONTROL = 32;
const CONTROL_LENGTH = 40;
const FLAGS = 48;
const RECEIVED_LENGTH = 56;

const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
/** CMSG_LEN of a 16-bit value. */
const SEGMENT_CONTROL_LENGTH = 18;
const MSG_TRUNC = 0x20;

export class MessageVectors {
  readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly view: DataView<ArrayBuffer>;
  /** Where the array begins in this process' memory. */
  readonly start: number;
  private readonly names: number;
  private readonly controls: number;
  private readonly parts: number;

  constructor(count: number, parts: number, addressOf: (bytes: Uint8Array) => number) {
    this.names = count * HEADER_BYTES;
    this.controls = this.names + count * NAME_BYTES;
    this.parts = this.controls + count * CONTROL_BYTES;
    this.bytes = new Uint8Array(this.parts + parts * PART_BYTES);
    this.view = new DataView(this.bytes.buffer);
    this.start = addressOf(this.bytes);
    for (let message = 0; message < count; message++) {
      const header = message * HEADER_BYTES;
      this.setPointer(header + NAME, this.start + this.names + message * NAME_BYTES);
      this.view.setUint32(header + NAME_LENGTH, NAME_BYTES, true);
    }
  }

  /** Where a part stands in this process' memory, and how long it is. */
  setPart(part: number, address: number, length: number): void {
    const offset = this.parts + part * PART_BYTES;
    this.setPointer(offset, address);
    this.view.setUint32(offset + 8, length, true);
  }

  setParts(message: number, firstPart: number, count: number): void {
    const header = message * HEADER_BYTES;
    this.setPointer(header + PARTS, this.start + this.parts + firstPart * PART_BYTES);
    this.view.setUint32(header + PART_COUNT, count, true);
  }

  /** `address` as a number. */
  setDestination(message: number, address: number, port: number): void {
    const name = this.names + message * NAME_BYTES;
    this.view.setUint16(name, AF_INET, true);
    this.view.setUint16(name + 2, port);
    this.view.setUint32(name + 4, address);
  }

  /** Where a message's `sockaddr_in` stands in this process' memory. */
  nameAddress(message: number): number {
    return this.start + this.names + message * NAME_BYTES;
  }

  /** The kernel cuts the message into datagrams of this size, the last one shorter; 0: it is one datagram. */
  setSegmentBytes(message: number, segmentBytes: number): void {
    const header = message * HEADER_BYTES;
    if (segmentBytes === 0) {
      this.view.setUint32(header + CONTROL_LENGTH, 0, true);
      return;
    }
    const control = this.controls + message * CONTROL_BYTES;
    this.setPointer(header + CONTROL, this.start + control);
    this.view.setUint32(header + CONTROL_LENGTH, CONTROL_BYTES, true);
    this.view.setUint32(control, SEGMENT_CONTROL_LENGTH, true);
    this.view.setInt32(control + 8, SOL_UDP, true);
    this.view.setInt32(control + 12, UDP_SEGMENT, true);
    this.view.setUint16(control + 16, segmentBytes, true);
  }

  /** The kernel writes into these fields, so they are set before every call. */
  prepareToReceive(message: number): void {
    const header = message * HEADER_BYTES;
    this.view.setUint32(header + NAME_LENGTH, NAME_BYTES, true);
    this.setPointer(header + CONTROL, this.start + this.controls + message * CONTROL_BYTES);
    this.view.setUint32(header + CONTROL_LENGTH, CONTROL_BYTES, true);
    this.view.setUint32(header + FLAGS, 0, true);
  }

  receivedBytes(message: number): number {
    return this.view.getUint32(message * HEADER_BYTES + RECEIVED_LENGTH, true);
  }

  truncated(message: number): boolean {
    return (this.view.getUint32(message * HEADER_BYTES + FLAGS, true) & MSG_TRUNC) !== 0;
  }

  /** Size of the datagrams that the kernel joined into this message; 0 when it is a single one. */
  receivedSegmentBytes(message: number): number {
    if (this.view.getUint32(message * HEADER_BYTES + CONTROL_LENGTH, true) === 0) return 0;
    const control = this.controls + message * CONTROL_BYTES;
    const isGro =
      this.view.getInt32(control + 8, true) === SOL_UDP && this.view.getInt32(control + 12, true) === UDP_GRO;
    return isGro ? this.view.getInt32(control + 16, true) : 0;
  }

  /** One number for the sender's address and port. */
  senderKey(message: number): number {
    const name = this.names + message * NAME_BYTES;
    return this.view.getUint32(name + 4) * 65_536 + this.view.getUint16(name + 2);
  }

  sender(message: number): SocketEndpoint {
    const name = this.names + message * NAME_BYTES;
    return { address: this.bytes.subarray(name + 4, name + 8).join('.'), port: this.view.getUint16(name + 2) };
  }

  private setPointer(offset: number, address: number): void {
    this.view.setUint32(offset, address >>> 0, true);
    this.view.setUint32(offset + 4, Math.floor(address / 2 ** 32), true);
  }
}
