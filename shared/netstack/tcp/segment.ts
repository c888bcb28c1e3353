import type { PacketMemory } from '../../wire/packet-memory.ts';
import * as tcp from '../../wire/tcp.ts';

/** The segment being processed: read once from packet memory, then passed along. One object a host, reused. */
export class Segment {
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  /** As it stands in the header, not scaled. */
  window = 0;
  /** As it stands in the header; counts where URG is set. */
  urgentPointer = 0;
  /** Where the data begins in packet memory, and how long it is. */
  dataOffset = 0;
  dataBytes = 0;
  readonly options = new tcp.TcpOptions();

  /** Reads the header at `offset`, which passed `tcp.check`; false when its options are malformed. */
  read(memory: PacketMemory, offset: number, length: number): boolean {
    const { view } = memory;
    const header = tcp.headerBytes(view, offset);
    this.sequence = tcp.sequence(view, offset);
    this.acknowledgement = tcp.acknowledgement(view, offset);
    this.flags = tcp.flags(view, offset);
    this.window = tcp.window(view, offset);
    if (this.has(tcp.URG)) this.urgentPointer = tcp.urgentPointer(view, offset);
    this.dataOffset = offset + header;
    this.dataBytes = length - header;
    return tcp.readOptions(view, offset, this.options);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** A SYN of an active open. ECE and CWR, which offer ECN with it (RFC 3168 section 6.1.1), do not count. */
  get isPlainSyn(): boolean {
    return (this.flags & (tcp.SYN | tcp.ACK | tcp.RST | tcp.FIN)) === tcp.SYN;
  }

  /** Sequence numbers it takes up: data, SYN and FIN (SEG.LEN). */
  get length(): number {
    return this.dataBytes + (this.has(tcp.SYN) ? 1 : 0) + (this.has(tcp.FIN) ? 1 : 0);
  }
}
