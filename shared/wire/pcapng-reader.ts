/**
 * Reads pcapng (draft-ietf-opsawg-pcapng) as it arrives, in pieces of any size and either byte order: the packets with the
 * interfaces they were seen on, and statistics. Unknown blocks and options are skipped.
 */
import * as pcap from './pcap.ts';

export interface ReadInterface {
  readonly id: number;
  readonly linkType: number;
  readonly name: string | undefined;
  readonly description: string | undefined;
}

export interface ReadPacket {
  readonly kind: 'packet';
  readonly interface: ReadInterface;
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** The bytes kept. */
  readonly bytes: Uint8Array;
  readonly wireBytes: number;
  readonly direction: 'inbound' | 'outbound' | undefined;
  readonly comment: string | undefined;
}

export interface ReadStatistics {
  readonly kind: 'statistics';
  readonly interface: ReadInterface;
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  readonly accepted: number;
  readonly dropped: number;
  readonly delivered: number;
}

export type ReadItem = ReadPacket | ReadStatistics | { readonly kind: 'interface'; readonly interface: ReadInterface };

/** The bytes are no pcapng, or damaged. */
export class CaptureFormatError extends Error {
  override readonly name = 'CaptureFormatError';
}

/** Longer ones are no packets of any network, and would have to be held whole. */
const MAX_BLOCK_BYTES = 16 * 1024 * 1024;
const BLOCK_OVERHEAD_BYTES = 12;

interface InterfaceState extends ReadInterface {
  /** Nanoseconds of one tick are `numerator / denominator`. */
  readonly ticks: { readonly numerator: bigint; readonly denominator: bigint };
}

export class PcapngReader {
  private rest: Uint8Array = new Uint8Array(0);
  private littleEndian = true;
  private begun = false;
  private interfaces: InterfaceState[] = [];

  /** What the bytes so far complete. Throws CaptureFormatError. */
  push(chunk: Uint8Array): ReadItem[] {
    this.rest = joined(this.rest, chunk);
    const items: ReadItem[] = [];
    for (let block = this.nextBlock(); block !== undefined; block = this.nextBlock()) {
      const item = this.read(block);
      if (item !== undefined) items.push(item);
    }
    return items;
  }

  /** Bytes of a block that has not come to its end. */
  get pendingBytes(): number {
    return this.rest.length;
  }

  private nextBlock(): DataView | undefined {
    const { rest } = this;
    if (rest.length < BLOCK_OVERHEAD_BYTES) return undefined;
    const view = new DataView(rest.buffer, rest.byteOffset, rest.length);
    if (view.getUint32(0, true) === pcap.SECTION_HEADER) this.readByteOrder(view);
    else if (!this.begun) throw new CaptureFormatError('this is no pcapng: it does not begin with a section header');
    const size = view.getUint32(4, this.littleEndian);
    if (size < BLOCK_OVERHEAD_BYTES || size % 4 !== 0 || size > MAX_BLOCK_BYTES) {
      throw new CaptureFormatError(`a block of the capture claims ${size} bytes`);
    }
    if (rest.length < size) return undefined;
    this.rest = rest.subarray(size);
    return new DataView(rest.buffer, rest.byteOffset, size - 4);
  }

  private readByteOrder(view: DataView): void {
    this.begun = true;
    this.interfaces = [];
    this.littleEndian = view.getUint32(8, true) === pcap.BYTE_ORDER_MAGIC;
    if (!this.littleEndian && view.getUint32(8) !== pcap.BYTE_ORDER_MAGIC) {
      throw new CaptureFormatError('the section header of the capture has no byte order');
    }
  }

  private read(block: DataView): ReadItem | undefined {
    switch (block.getUint32(0, this.littleEndian)) {
      case pcap.INTERFACE_DESCRIPTION:
        return this.readInterface(block);
      case pcap.ENHANCED_PACKET:
        return this.readPacket(block);
      case pcap.INTERFACE_STATISTICS:
        return this.readStatistics(block);
      default:
        return undefined;
    }
  }

  private readInterface(block: DataView): ReadItem {
    this.requireBytes(block, 16);
    const options = this.options(block, 16);
    const found: InterfaceState = {
      id: this.interfaces.length,
      linkType: block.getUint16(8, this.littleEndian),
      name: textOf(options.get(pcap.OPTION_INTERFACE_NAME)),
      description: textOf(options.get(pcap.OPTION_INTERFACE_DESCRIPTION)),
      ticks: ticksOf(options.get(pcap.OPTION_INTERFACE_TIME_RESOLUTION)?.[0] ?? 6),
    };
    this.interfaces.push(found);
    return { kind: 'interface', interface: found };
  }

  private readPacket(block: DataView): ReadPacket {
    this.requireBytes(block, 28);
    const on = this.interfaceOf(block);
    const kept = block.getUint32(20, this.littleEndian);
    this.requireBytes(block, 28 + kept);
    const options = this.options(block, 28 + ((kept + 3) & ~3));
    const flags = options.get(pcap.OPTION_PACKET_FLAGS);
    return {
      kind: 'packet',
      interface: on,
      timestampNs: this.timestamp(block, 12, on),
      bytes: new Uint8Array(block.buffer, block.byteOffset + 28, kept),
      wireBytes: block.getUint32(24, this.littleEndian),
      direction: directionOf(flags?.[this.littleEndian ? 0 : 3]),
      comment: textOf(options.get(pcap.OPTION_COMMENT)),
    };
  }

  private readStatistics(block: DataView): ReadStatistics {
    this.requireBytes(block, 20);
    const on = this.interfaceOf(block);
    const options = this.options(block, 20);
    const counter = (code: number): number => {
      const value = options.get(code);
      if (value === undefined || value.length < 8) return 0;
      return Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0, this.littleEndian));
    };
    return {
      kind: 'statistics',
      interface: on,
      timestampNs: this.timestamp(block, 12, on),
      accepted: counter(pcap.OPTION_STATISTICS_ACCEPTED),
      dropped: counter(pcap.OPTION_STATISTICS_DROPPED),
      delivered: counter(pcap.OPTION_STATISTICS_DELIVERED),
    };
  }

  private interfaceOf(block: DataView): InterfaceState {
    const id = block.getUint32(8, this.littleEndian);
    const found = this.interfaces[id];
    if (found === undefined) throw new CaptureFormatError(`the capture has no interface ${id}`);
    return found;
  }

  private timestamp(block: DataView, offset: number, { ticks }: InterfaceState): bigint {
    const high = BigInt(block.getUint32(offset, this.littleEndian));
    const low = BigInt(block.getUint32(offset + 4, this.littleEndian));
    return (((high << 32n) | low) * ticks.numerator) / ticks.denominator;
  }

  /** The first of each code; what runs past the block ends them. */
  private options(block: DataView, offset: number): Map<number, Uint8Array> {
    const found = new Map<number, Uint8Array>();
    let at = offset;
    while (at + 4 <= block.byteLength) {
      const code = block.getUint16(at, this.littleEndian);
      const size = block.getUint16(at + 2, this.littleEndian);
      if (code === 0 || at + 4 + size > block.byteLength) break;
      if (!found.has(code)) found.set(code, new Uint8Array(block.buffer, block.byteOffset + at + 4, size));
      at += 4 + ((size + 3) & ~3);
    }
    return found;
  }

  private requireBytes(block: DataView, size: number): void {
    if (block.byteLength < size) throw new CaptureFormatError('a block of the capture is shorter than it must be');
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** A resolution as a power of 10, or of 2 when the high bit is set. */
function ticksOf(resolution: number): InterfaceState['ticks'] {
  const exponent = BigInt(resolution & 0x7f);
  return { numerator: 1_000_000_000n, denominator: (resolution & 0x80) !== 0 ? 2n ** exponent : 10n ** exponent };
}

function directionOf(flags: number | undefined): ReadPacket['direction'] {
  if (flags === undefined) return undefined;
  return (flags & 3) === 1 ? 'inbound' : (flags & 3) === 2 ? 'outbound' : undefined;
}

function textOf(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : new TextDecoder().decode(value);
}
