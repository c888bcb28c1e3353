/**
 * DNS messages (RFC 1035, EDNS0 RFC 6891) between bytes and values. dns-packet decodes; answers are written here, with name
 * compression, the question's own bytes (its upper and lower case is the client's, RFC 4343) and a bound on their size.
 */
import dnsPacket, { type Answer, type DecodedPacket } from 'dns-packet';
import { plainName } from './zone.ts';

export interface Edns {
  readonly payloadBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
}

export interface Question {
  /** As the client wrote it, without the final dot; empty for the root. */
  readonly name: string;
  /** Lower case. */
  readonly key: string;
  /** `A`; `UNKNOWN_65` for types that have no name here. */
  readonly type: string;
  /** `IN` */
  readonly class: string;
}

export interface DecodedQuery {
  readonly id: number;
  readonly question: Question;
  readonly recursionDesired: boolean;
  readonly checkingDisabled: boolean;
  readonly edns: Edns | undefined;
  /** The question section's bytes. */
  readonly questionBytes: Uint8Array;
}

export type ResourceRecord = Answer;

export interface Reply {
  /** `NOERROR`, `NXDOMAIN`, `SERVFAIL`, ... */
  readonly rcode: Rcode;
  readonly authoritative: boolean;
  readonly recursionAvailable?: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

export const RCODES = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;
export type Rcode = keyof typeof RCODES;

export function emptyReply(rcode: Rcode, authoritative = false): Reply {
  return { rcode, authoritative, answers: [], authorities: [], additionals: [] };
}

export type Decoded =
  | { readonly kind: 'query'; readonly query: DecodedQuery }
  /** To be answered with an error; `questionBytes` are empty when there is no whole question. */
  | { readonly kind: 'error'; readonly id: number; readonly rcode: Rcode; readonly questionBytes: Uint8Array }
  /** Not worth an answer: too short, or itself an answer. */
  | { readonly kind: 'ignore' };

const HEADER_BYTES = 12;
const RESPONSE_BIT = 0x8000;
const RECURSION_DESIRED_BIT = 0x0100;
const CHECKING_DISABLED_BIT = 0x0010;
const NO_BYTES = new Uint8Array(0);

export function decodeQuery(bytes: Uint8Array): Decoded {
  if (bytes.length < HEADER_BYTES) return { kind: 'ignore' };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const id = view.getUint16(0);
  const flags = view.getUint16(2);
  if ((flags & RESPONSE_BIT) !== 0) return { kind: 'ignore' };
  const questionEnd = view.getUint16(4) === 1 ? endOfQuestion(bytes) : undefined;
  const questionBytes = questionEnd === undefined ? NO_BYTES : bytes.subarray(HEADER_BYTES, questionEnd);
  if (((flags >>> 11) & 0xf) !== 0) return { kind: 'error', id, rcode: 'NOTIMP', questionBytes };
  const packet = questionEnd === undefined ? undefined : tryDecode(bytes);
  const question = packet?.questions?.[0];
  if (packet === undefined || question === undefined) return { kind: 'error', id, rcode: 'FORMERR', questionBytes };
  const options = (packet.additionals ?? []).filter(({ type }) => type === 'OPT');
  if (options.length > 1) return { kind: 'error', id, rcode: 'FORMERR', questionBytes };
  const name = question.name === '.' ? '' : question.name;
  return {
    kind: 'query',
    query: {
      id,
      question: { name, key: plainName(name), type: question.type, class: question.class ?? 'IN' },
      recursionDesired: (flags & RECURSION_DESIRED_BIT) !== 0,
      checkingDisabled: (flags & CHECKING_DISABLED_BIT) !== 0,
      edns: ednsOf(options[0]),
      questionBytes,
    },
  };
}

/** The offset after the only question; undefined when it is cut short or compressed. */
function endOfQuestion(bytes: Uint8Array): number | undefined {
  let at = HEADER_BYTES;
  for (let length = bytes[at]; length !== 0; length = bytes[at]) {
    if (length === undefined || length > 63 || at - HEADER_BYTES > 255) return undefined;
    at += length + 1;
  }
  return at + 5 <= bytes.length ? at + 5 : undefined;
}

function tryDecode(bytes: Uint8Array): DecodedPacket | undefined {
  try {
    return dnsPacket.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    // dns-packet throws plain errors for every kind of malformed message.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function ednsOf(option: ResourceRecord | undefined): Edns | undefined {
  if (option?.type !== 'OPT') return undefined;
  const { udpPayloadSize, ednsVersion, flag_do } = option as {
    udpPayloadSize: number;
    ednsVersion: number;
    flag_do: boolean;
  };
  return { payloadBytes: udpPayloadSize, version: ednsVersion, dnssecOk: flag_do };
}

export interface Asked {
  readonly id: number;
  readonly questionBytes: Uint8Array;
  readonly recursionDesired?: boolean;
  readonly checkingDisabled?: boolean;
  readonly edns?: Edns | undefined;
}

/** UDP payload that this server announces and never exceeds: fits the overlay's MTU without fragments. */
export const SERVER_PAYLOAD_BYTES = 1232;
const OPT_BYTES = 11;

/**
 * An answer of at most `limitBytes`. Additional records are left out first; when the answer itself does not fit, as many
 * records as do are sent with the truncation bit (RFC 2181 section 9), so that the client asks again over TCP.
 */
export function encodeReply(asked: Asked, reply: Reply, limitBytes: number): Uint8Array {
  const writer = new MessageWriter(limitBytes - (asked.edns === undefined ? 0 : OPT_BYTES), asked.questionBytes);
  const answers = writer.records(reply.answers);
  const authorities = answers === reply.answers.length ? writer.records(reply.authorities) : 0;
  const truncated = answers < reply.answers.length || authorities < reply.authorities.length;
  const additionals = truncated ? 0 : writer.records(reply.additionals);
  writer.limitBytes = limitBytes;
  if (asked.edns !== undefined) writer.opt(RCODES[reply.rcode] >>> 4, asked.edns.dnssecOk);
  const flags =
    RESPONSE_BIT |
    (reply.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    (asked.recursionDesired ? RECURSION_DESIRED_BIT : 0) |
    (reply.recursionAvailable ? 0x0080 : 0) |
    (asked.checkingDisabled ? CHECKING_DISABLED_BIT : 0) |
    (RCODES[reply.rcode] & 0xf);
  return writer.finish(asked.id, flags, {
    questions: asked.questionBytes.length > 0 ? 1 : 0,
    answers,
    authorities,
    additionals: additionals + (asked.edns === undefined ? 0 : 1),
  });
}

interface SectionCounts {
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

class MessageWriter {
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

  opt(extendedRcode: number, dnssecOk: boolean): void {
    this.reserve(OPT_BYTES);
    this.uint8(0);
    this.uint16(OPT_TYPE);
    this.uint16(SERVER_PAYLOAD_BYTES);
    this.uint8(extendedRcode);
    this.uint8(0);
    this.uint16(dnssecOk ? 0x8000 : 0);
    this.uint16(0);
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
