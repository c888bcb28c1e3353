/** Writes a DNS message record by record, with name compression (RFC 1035 section 4.1.4) and a bound on its size. */
import dnsPacket from 'dns-packet';
import type { EdnsOption, ResourceRecord } from './message.ts';

export const HEADER_BYTES = 12;
/** UDP payload that this server announces and never exceeds: fits the overlay's MTU without fragments. */
export const SERVER_PAYLOAD_BYTES = 1232;
/** An OPT record without options. */
export const OPT_BYTES = 11;
const OPTION_HEADER_BYTES = 4;

/** What the options take in an OPT record. */
export function optionsBytes(options: readonly EdnsOption[]): number {
  return options.reduce((sum, { data }) => sum + OPTION_HEADER_BYTES + data.length, 0);
}

export interface SectionCounts {
  readonly questions: number;
  readonly answers: number;
  readonly authorities: number;
  readonly additionals: number;
}

const TYPE_NUMBERS: Readonly<Record<string, number>> = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
};
const OPT_TYPE = 41;
const CLASS_IN = 1;
const MAX_POINTER = 0x3fff;

export class MessageWriter {
  limitBytes: number;
  private buffer: Buffer;
  private length = HEADER_BYTES;
  /** Offsets of names by their lower-case text. */
  private readonly names = new Map<string, number>();

  constructor(limitBytes: number, questionBytes: Uint8Array) {
    this.limitBytes = limitBytes;
    this.buffer = Buffer.alloc(Math.min(limitBytes, 4096) + 512);
    this.buffer.set(questionBytes, HEADER_BYTES);
    this.noteQuestion(questionBytes);
    this.length += questionBytes.length;
  }

  /** Writes records until one does not fit; the number written. */
  records(records: readonly ResourceRecord[]): number {
    let written = 0;
    for (const record of records) {
      const start = this.length;
      this.record(record);
      if (this.length > this.limitBytes) {
        this.rewind(start);
        break;
      }
      written++;
    }
    return written;
  }

  opt(extendedRcode: number, dnssecOk: boolean, options: readonly EdnsOption[]): void {
    this.reserve(OPT_BYTES);
    this.uint8(0);
    this.uint16(OPT_TYPE);
    this.uint16(SERVER_PAYLOAD_BYTES);
    this.uint8(extendedRcode);
    this.uint8(0);
    this.uint16(dnssecOk ? 0x8000 : 0);
    this.uint16(optionsBytes(options));
    for (const { code, data } of options) {
      this.reserve(OPTION_HEADER_BYTES);
      this.uint16(code);
      this.uint16(data.length);
      this.bytes(data);
    }
  }

  finish(id: number, flags: number, counts: SectionCounts): Uint8Array {
    [id, flags, counts.questions, counts.answers, counts.authorities, counts.additionals].forEach((value, index) => {
      this.buffer.writeUInt16BE(value, index * 2);
    });
    return this.buffer.subarray(0, this.length);
  }

  private noteQuestion(bytes: Uint8Array): void {
    const labels: { text: string; offset: number }[] = [];
    for (let at = 0; (bytes[at] ?? 0) !== 0; at += (bytes[at] ?? 0) + 1) {
      const text = Buffer.from(bytes.subarray(at + 1, at + 1 + (bytes[at] ?? 0))).toString('utf8');
      labels.push({ text: text.toLowerCase(), offset: HEADER_BYTES + at });
    }
    labels.forEach(({ offset }, index) => {
      const name = labels.slice(index).map(({ text }) => text);
      this.names.set(name.join('.'), offset);
    });
  }

  private rewind(start: number): void {
    this.length = start;
    for (const [name, offset] of this.names) if (offset >= start) this.names.delete(name);
  }

  private record(record: ResourceRecord): void {
    // OPT is written by `opt` alone.
    if (record.type === 'OPT') return;
    const { name, type, ttl = 0 } = record;
    this.name(name === '.' ? '' : name);
    const number = TYPE_NUMBERS[type];
    if (number === undefined) {
      this.foreignRecord(record);
      return;
    }
    this.reserve(10);
    this.uint16(number);
    this.uint16(CLASS_IN);
    this.uint32(ttl);
    const lengthAt = this.length;
    this.uint16(0);
    this.data(record);
    this.buffer.writeUInt16BE(this.length - lengthAt - 2, lengthAt);
  }

  private data(record: ResourceRecord): void {
    switch (record.type) {
      case 'A':
        this.reserve(4);
        for (const octet of record.data.split('.')) this.uint8(Number(octet));
        return;
      case 'AAAA':
      case 'TXT':
        this.bytes(rdataOf(record));
        return;
      case 'CNAME':
      case 'NS':
      case 'PTR':
        this.name(record.data);
        return;
      case 'SOA': {
        const { mname, rname, serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0 } = record.data;
        this.name(mname);
        this.name(rname);
        this.reserve(20);
        for (const value of [serial, refresh, retry, expire, minimum]) this.uint32(value);
        return;
      }
      case 'SRV': {
        const { priority = 0, weight = 0, port, target } = record.data;
        this.reserve(6);
        for (const value of [priority, weight, port]) this.uint16(value);
        // RFC 2782: the target is not compressed.
        this.name(target, false);
        return;
      }
      default:
        this.bytes(rdataOf(record));
    }
  }

  /** A type that this server never makes itself: everything after the name as dns-packet writes it. */
  private foreignRecord(record: ResourceRecord): void {
    this.bytes(encodedTail(record));
  }

  private name(name: string, compress = true): void {
    let rest = name.replace(/\.$/, '');
    while (rest !== '') {
      const key = rest.toLowerCase();
      const known = this.names.get(key);
      if (known !== undefined && compress) {
        this.reserve(2);
        this.uint16(0xc000 | known);
        return;
      }
      if (known === undefined && this.length <= MAX_POINTER) this.names.set(key, this.length);
      const dot = rest.indexOf('.');
      const label = Buffer.from(dot === -1 ? rest : rest.slice(0, dot), 'utf8').subarray(0, 63);
      this.reserve(label.length + 1);
      this.uint8(label.length);
      this.buffer.set(label, this.length);
      this.length += label.length;
      rest = dot === -1 ? '' : rest.slice(dot + 1);
    }
    this.reserve(1);
    this.uint8(0);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= this.buffer.length) return;
    const larger = Buffer.alloc((this.length + bytes) * 2);
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }

  private bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  private uint8(value: number): void {
    this.buffer[this.length++] = value;
  }

  private uint16(value: number): void {
    this.buffer.writeUInt16BE(value, this.length);
    this.length += 2;
  }

  private uint32(value: number): void {
    this.buffer.writeUInt32BE(value >>> 0, this.length);
    this.length += 4;
  }
}

const TAIL_START = HEADER_BYTES + 1;
const RDATA_START = TAIL_START + 10;

/** Type, class, TTL, length and data of a record. */
function encodedTail(record: ResourceRecord): Uint8Array {
  return dnsPacket
    .encode({ type: 'response', answers: [{ ...record, name: '.' } as ResourceRecord] })
    .subarray(TAIL_START);
}

function rdataOf(record: ResourceRecord): Uint8Array {
  return encodedTail(record).subarray(RDATA_START - TAIL_START);
}
