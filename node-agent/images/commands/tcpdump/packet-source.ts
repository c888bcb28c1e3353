/** Where tcpdump's packets come from: the devices of the namespace, or a capture file in either format. */
import type { Readable } from 'node:stream';
import * as ethernet from '../../../../shared/wire/ethernet.ts';
import * as pcapFile from '../../../../shared/wire/pcap-file.ts';
import { CaptureFormatError, PcapngReader } from '../../../../shared/wire/pcapng-reader.ts';
import type { PacketSocket, SeenFrame } from '../../image.ts';
import { chunks } from '../../program-io.ts';
import { type CookedHeader, packetType, uncook } from './cooked.ts';

export interface DumpedFrame {
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  /** An Ethernet frame, or the bytes of one that were kept. */
  readonly bytes: Uint8Array;
  readonly wireBytes: number;
  readonly outbound: boolean;
  /** Of a capture of all devices. */
  readonly cooked: (CookedHeader & { readonly deviceName: string }) | undefined;
}

/** Until the socket is closed. */
export async function* liveFrames(socket: PacketSocket, allDevices: boolean): AsyncGenerator<DumpedFrame[]> {
  for (let frames = await socket.next(); frames !== undefined; frames = await socket.next()) {
    yield frames.map((frame) => ({ ...frame, cooked: allDevices ? cookedOf(frame) : undefined }));
  }
}

function cookedOf({ bytes, outbound, deviceIndex, deviceName }: SeenFrame): DumpedFrame['cooked'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!ethernet.check(view, 0, bytes.length)) return undefined;
  return {
    deviceIndex,
    deviceName,
    type: packetType(outbound, ethernet.destination(view, 0)),
    mac: ethernet.source(view, 0),
    etherType: ethernet.type(view, 0),
  };
}

export interface FileFrames {
  /** As tcpdump names it: `link-type EN10MB (Ethernet), snapshot length 65535`. */
  readonly description: string;
  readonly frames: AsyncGenerator<DumpedFrame[]>;
}

const LINK_NAMES: Readonly<Record<number, string>> = {
  [pcapFile.LINK_TYPE_ETHERNET]: 'EN10MB (Ethernet)',
  [pcapFile.LINK_TYPE_COOKED]: 'LINUX_SLL2 (Linux cooked v2)',
};

/** Throws CaptureFormatError when the file is no capture, or one of another kind of link. */
export async function openFileFrames(stream: Readable, deviceName: (index: number) => string): Promise<FileFrames> {
  const source = chunks(stream);
  let head: Buffer = Buffer.alloc(0);
  while (head.length < pcapFile.FILE_HEADER_BYTES) {
    const { value, done } = await source.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  if (head.length < pcapFile.FILE_HEADER_BYTES) {
    throw new CaptureFormatError(
      `truncated dump file; tried to read ${pcapFile.FILE_HEADER_BYTES} file header bytes, only got ${head.length}`,
    );
  }
  const format = pcapFile.readFileHeader(head);
  if (format === undefined) {
    return { description: `link-type ${LINK_NAMES[1]}, snapshot length 262144`, frames: pcapngFrames(head, source) };
  }
  const name = LINK_NAMES[format.linkType];
  if (name === undefined) throw new CaptureFormatError(`link-type ${format.linkType} is not one that is read here`);
  const description = `link-type ${name}, snapshot length ${format.snapBytes}`;
  return { description, frames: classicFrames(head, source, format, deviceName) };
}

async function* pcapngFrames(head: Uint8Array, source: AsyncIterable<Uint8Array>): AsyncGenerator<DumpedFrame[]> {
  const reader = new PcapngReader();
  const read = (bytes: Uint8Array): DumpedFrame[] =>
    reader.push(bytes).flatMap((item) => {
      if (item.kind !== 'packet' || item.interface.linkType !== pcapFile.LINK_TYPE_ETHERNET) return [];
      const { timestampNs, bytes: kept, wireBytes, direction } = item;
      return [{ timestampNs, bytes: kept, wireBytes, outbound: direction === 'outbound', cooked: undefined }];
    });
  yield read(head);
  for await (const chunk of source) yield read(chunk);
}

async function* classicFrames(
  head: Uint8Array,
  source: AsyncIterable<Uint8Array>,
  format: pcapFile.FileFormat,
  deviceName: (index: number) => string,
): AsyncGenerator<DumpedFrame[]> {
  let rest: Uint8Array = head.subarray(pcapFile.FILE_HEADER_BYTES);
  const take = (): DumpedFrame[] => {
    const frames: DumpedFrame[] = [];
    let at = 0;
    for (let found = pcapFile.readFileRecord(rest, at, format); found !== undefined; ) {
      frames.push(...dumpedFrame(found.record, format.linkType, deviceName));
      at = found.next;
      found = pcapFile.readFileRecord(rest, at, format);
    }
    rest = rest.subarray(at);
    return frames;
  };
  yield take();
  for await (const chunk of source) {
    rest = Buffer.concat([rest, chunk]);
    yield take();
  }
  if (rest.length > 0) throw new CaptureFormatError('truncated dump file; the last packet is not whole');
}

function dumpedFrame(
  { timestampNs, bytes, wireBytes }: pcapFile.FileRecord,
  linkType: number,
  deviceName: (index: number) => string,
): DumpedFrame[] {
  if (linkType === pcapFile.LINK_TYPE_ETHERNET) {
    return [{ timestampNs, bytes, wireBytes, outbound: false, cooked: undefined }];
  }
  const cooked = uncook(bytes);
  if (cooked === undefined) return [];
  const { header, frame } = cooked;
  const named = { ...header, deviceName: deviceName(header.deviceIndex) };
  const size = wireBytes - bytes.length + frame.length;
  return [{ timestampNs, bytes: frame, wireBytes: size, outbound: header.type === 'Out', cooked: named }];
}
