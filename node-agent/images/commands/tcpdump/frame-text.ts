/** Packets as text: time, device, protocols, bytes. */
import { formatMac } from '../../../../shared/wire/address.ts';
import * as ethernet from '../../../../shared/wire/ethernet.ts';
import * as vlan from '../../../../shared/wire/vlan.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import { HEADER_BYTES as COOKED_HEADER_BYTES } from './cooked.ts';
import { asciiText, hexLines } from './hex-dump.ts';
import type { TcpdumpOptions } from './options.ts';
import type { DumpedFrame } from './packet-source.ts';
import { printFrame, printPayload, typeText } from './print-frame.ts';
import { type Piece, PrintContext } from './print-options.ts';
import { Timestamps } from './timestamp.ts';

const DEVICE_WIDTH = 5;
const TYPE_WIDTH = 3;

export class FrameText {
  private readonly options: TcpdumpOptions;
  private readonly context: PrintContext;
  private readonly timestamps: Timestamps;
  private printed = 0;

  constructor(options: TcpdumpOptions) {
    this.options = options;
    this.context = new PrintContext(options.print);
    this.timestamps = new Timestamps(options.timestamp);
  }

  begin(): Promise<void> {
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  write(invocation: Invocation, frames: readonly DumpedFrame[]): Promise<void> {
    return invocation.print(frames.map((frame) => `${this.frameText(frame)}\n`).join(''));
  }

  frameText(frame: DumpedFrame): string {
    const { bytes, timestampNs, wireBytes, cooked } = frame;
    const piece = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), at: 0, end: bytes.length };
    const number = this.options.numbered ? `${String(++this.printed).padStart(5)}  ` : '';
    const text =
      cooked === undefined ? printFrame(this.context, piece, wireBytes) : this.cookedText(cooked, piece, wireBytes);
    return `${number}${this.timestamps.text(timestampNs)}${text}${this.dump(piece)}`;
  }

  private cookedText(cooked: NonNullable<DumpedFrame['cooked']>, piece: Piece, wireBytes: number): string {
    const { deviceName, deviceIndex, type, mac, etherType } = cooked;
    const payload = { ...piece, at: ethernet.HEADER_BYTES };
    const { linkHeader, quiet } = this.options.print;
    const head = `${deviceName.padEnd(DEVICE_WIDTH)} ${type.padEnd(TYPE_WIDTH)} `;
    if (!linkHeader) return `${head}${printPayload(this.context, etherType, payload)}`;
    const length = wireBytes - ethernet.HEADER_BYTES + COOKED_HEADER_BYTES;
    const kind = quiet ? ' ' : ` ethertype ${typeText(etherType)}, length ${length}: `;
    return `${head}ifindex ${deviceIndex} ${formatMac(mac)}${kind}${printPayload(this.context, etherType, payload)}`;
  }

  private dump(piece: Piece): string {
    const { dump, dumpLink } = this.options;
    if (dump === 'none') return '';
    const shown = { ...piece, at: dumpLink ? 0 : Math.min(piece.end, afterLink(piece)) };
    if (dump === 'ascii') return `\n${asciiText(shown)}`;
    const lines = hexLines(shown, dump === 'hex-ascii');
    return lines.length === 0 ? '' : `\n${lines.join('\n')}`;
  }
}

/** Where the network header stands: after the Ethernet header and its tags. */
function afterLink({ view, at, end }: Piece): number {
  let network = at + ethernet.HEADER_BYTES;
  while (vlan.check(view, network - 2, end - network + 2)) network += vlan.TAG_BYTES;
  return network;
}
