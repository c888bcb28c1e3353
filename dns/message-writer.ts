/** Writes a DNS message record by record, with name compression (RFC 1035 section 4.1.4) and a bound on its size. */
import dnsPacket from 'dns-packet';
import { ipv4Bytes, ipv6Bytes } from './ip-text.ts';
import type { EdnsOption, Question, ResourceRecord } from './message.ts';
import { recordTypeNumber } from './record-type.ts';
import { MAX_LABEL_BYTES, splitLabel } from './wire-name.ts';

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

/** Types whose data is written here. */
const WRITTEN = new Set(['A', 'NS', 'CNAME', 'SOA', 'PTR', 'MX', 'TXT', 'AAAA', 'SRV']);
export const OPT_TYPE = 41;
const CLASS_IN = 1;
const MAX_POINTER = 0x3fff;

/** Where messages are written before they leave as bytes of their own: one at a time, as nothing here waits. */
let scratch = Buffer.alloc(4096);

export class MessageWriter {
  limitBytes: number;
  private length = HEADER_BYTES;
  private readonly question: Question | undefined;
  /** Offsets of names by their lower-case text; undefined until a name is not the question's. */
  private names: Map<string, number> | undefined;

  constructor(limitBytes: number, questionBytes: Uint8Array, question: Question | undefined) {
    this.limitBytes = limitBytes;
    this.question = questionBytes.length > 0 ? question : undefined;
    this.bytes(questionBytes);
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
    const { questions, answers, authorities, additionals } = counts;
    const end = this.length;
    this.length = 0;
    for (const value of [id, flags, questions, answers, authorities, additionals]) this.uint16(value);
    const message = Buffer.allocUnsafe(end);
    scratch.copy(message, 0, 0, end);
    return message;
  }

  private knownNames(): Map<string, number> {
    if (this.names !== undefined) return this.names;
    this.names = new Map();
    let offset = HEADER_BYTES;
    for (let rest = this.question?.key; rest !== undefined && rest !== ''; ) {
      this.names.set(rest, offset);
      const split = splitLabel(rest);
      offset += 1 + split.label.length;
      rest = split.rest;
    }
    return this.names;
  }

  private rewind(start: number): void {
    this.length = start;
    for (const [name, offset] of this.names ?? []) if (offset >= start) this.names?.delete(name);
  }

  private record(record: ResourceRecord): void {
    // OPT is written by `opt` alone.
    if (record.type === 'OPT') return;
    const { name, type, ttl = 0 } = record;
    this.name(name === '.' ? '' : name);
    if (!WRITTEN.has(type)) {
      this.foreignRecord(record);
      return;
    }
    this.reserve(10);
    this.uint16(recordTypeNumber(type));
    this.uint16(CLASS_IN);
    this.uint32(ttl);
    const lengthAt = this.length;
    this.uint16(0);
    this.data(record);
    scratch.writeUInt16BE(this.length - lengthAt - 2, lengthAt);
  }

  private data(record: ResourceRecord): void {
    switch (record.type) {
      case 'A':
        this.bytes(ipv4Bytes(record.data) ?? new Uint8Array(4));
        return;
      case 'AAAA':
        this.bytes(ipv6Bytes(record.data) ?? new Uint8Array(16));
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
    let rest: string | undefined = name.endsWith('.') ? name.slice(0, -1) : name;
    if (compress && this.question !== undefined && rest !== '' && rest === this.question.name) {
      this.reserve(2);
      this.uint16(0xc000 | HEADER_BYTES);
      return;
    }
    const names = this.knownNames();
    while (rest !== undefined && rest !== '') {
      const key = rest.toLowerCase();
      const known = names.get(key);
      if (known !== undefined && compress) {
        this.reserve(2);
        this.uint16(0xc000 | known);
        return;
      }
      if (known === undefined && this.length <= MAX_POINTER) names.set(key, this.length);
      const split = splitLabel(rest);
      const label = split.label.subarray(0, MAX_LABEL_BYTES);
      this.reserve(label.length + 1);
      this.uint8(label.length);
      scratch.set(label, this.length);
      this.length += label.length;
      rest = split.rest;
    }
    this.reserve(1);
    this.uint8(0);
  }

  private reserve(bytes: number): void {
    if (this.length + bytes <= scratch.length) return;
    const larger = Buffer.alloc((this.length + bytes) * 2);
    larger.set(scratch.subarray(0, this.length));
    scratch = larger;
  }

  private bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    scratch.set(bytes, this.length);
    this.length += bytes.length;
  }

  private uint8(value: number): void {
    scratch[this.length++] = value;
  }

  private uint16(value: number): void {
    scratch[this.length++] = value >>> 8;
    scratch[this.length++] = value & 255;
  }

  private uint32(value: number): void {
    this.uint16(value >>> 16);
    this.uint16(value & 0xffff);
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
