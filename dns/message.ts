/**
 * DNS messages (RFC 1035, EDNS0 RFC 6891) between bytes and values. Answers are written with name compression, the question's own
 * bytes (its upper and lower case is the client's, RFC 4343) and a bound on their size.
 */
import type { Answer } from 'dns-packet';
import { HEADER_BYTES, MessageWriter, OPT_BYTES, OPT_TYPE, optionsBytes } from './message-writer.ts';
import { recordClassName, recordTypeName } from './record-type.ts';
import { readName } from './wire-name.ts';

export interface Edns {
  readonly payloadBytes: number;
  readonly version: number;
  readonly dnssecOk: boolean;
  /** Codes of the options that came along. */
  readonly optionCodes?: readonly number[];
}

/** An EDNS0 option of a reply (RFC 6891 section 6.1.2). */
export interface EdnsOption {
  readonly code: number;
  readonly data: Uint8Array;
}

export interface Question {
  /** As the client wrote it, without the final dot, odd bytes escaped (`wire-name.ts`); empty for the root. */
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
  /** Options for a client that speaks EDNS0. */
  readonly ednsOptions?: readonly EdnsOption[];
  /** Overrides the query's. */
  readonly recursionDesired?: boolean;
  /** Sent with the truncation bit although it fits. */
  readonly truncated?: boolean;
  /** Of this server's state at the moment: asked again, it may be another. Caches do not keep it. */
  readonly passing?: boolean;
  /** The client is left without an answer. */
  readonly dropped?: boolean;
  /** Bytes that a UDP answer may have at most, below what the client takes. */
  readonly udpLimitBytes?: number;
  /** Messages that follow over TCP: the rest of a zone transfer (RFC 5936 section 2.2). */
  readonly following?: readonly Reply[];
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

/** A failure that says nothing of the name. */
export function passingFailure(authoritative = false): Reply {
  return { ...emptyReply('SERVFAIL', authoritative), passing: true };
}

export type Decoded =
  | { readonly kind: 'query'; readonly query: DecodedQuery }
  /** To be answered with an error; `questionBytes` are empty when there is no whole question. */
  | {
      readonly kind: 'error';
      readonly id: number;
      readonly opcode: number;
      readonly rcode: Rcode;
      readonly questionBytes: Uint8Array;
      readonly recursionDesired: boolean;
    }
  /** Not worth an answer: too short, or itself an answer. */
  | { readonly kind: 'ignore' };

const RESPONSE_BIT = 0x8000;
const RECURSION_DESIRED_BIT = 0x0100;
const CHECKING_DISABLED_BIT = 0x0010;
const NO_BYTES = new Uint8Array(0);
const IGNORE: Decoded = { kind: 'ignore' };
/** What a query may carry beside its question: IXFR has the SOA that the client knows, TSIG and OPT are additional. */
const MOST_ANSWERS = 1;
const MOST_AUTHORITIES = 1;
const MOST_ADDITIONALS = 2;

export function decodeQuery(bytes: Uint8Array): Decoded {
  if (bytes.length < HEADER_BYTES) return IGNORE;
  const flags = uint16(bytes, 2);
  if ((flags & RESPONSE_BIT) !== 0) return IGNORE;
  const id = uint16(bytes, 0);
  const recursionDesired = (flags & RECURSION_DESIRED_BIT) !== 0;
  const opcode = (flags >>> 11) & 0xf;
  const name = uint16(bytes, 4) === 1 ? readName(bytes, HEADER_BYTES) : undefined;
  const end = name === undefined ? bytes.length + 1 : name.end + 4;
  const questionBytes = end <= bytes.length ? bytes.subarray(HEADER_BYTES, end) : NO_BYTES;
  const error = (rcode: Rcode): Decoded => ({ kind: 'error', id, opcode, rcode, questionBytes, recursionDesired });
  if (opcode !== 0) return error('NOTIMP');
  if (name === undefined || questionBytes.length === 0) return error('FORMERR');
  const edns = readEdns(bytes, end);
  if (edns === 'malformed') return error('FORMERR');
  return {
    kind: 'query',
    query: {
      id,
      question: {
        name: name.text,
        key: name.text.toLowerCase(),
        type: recordTypeName(uint16(bytes, end - 4)),
        class: recordClassName(uint16(bytes, end - 2)),
      },
      recursionDesired,
      checkingDisabled: (flags & CHECKING_DISABLED_BIT) !== 0,
      edns,
      questionBytes,
    },
  };
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** Walks the records after the question for the one OPT that there may be. */
function readEdns(bytes: Uint8Array, start: number): Edns | undefined | 'malformed' {
  const counts = [uint16(bytes, 6), uint16(bytes, 8), uint16(bytes, 10)] as const;
  const [answers, authorities, additionals] = counts;
  if (answers > MOST_ANSWERS || authorities > MOST_AUTHORITIES || additionals > MOST_ADDITIONALS) return 'malformed';
  let edns: Edns | undefined;
  let at = start;
  for (let index = 0; index < answers + authorities + additionals; index++) {
    const nameEnd = skipName(bytes, at);
    if (nameEnd === undefined || nameEnd + 10 > bytes.length) return 'malformed';
    const dataStart = nameEnd + 10;
    const dataEnd = dataStart + uint16(bytes, nameEnd + 8);
    if (dataEnd > bytes.length) return 'malformed';
    if (uint16(bytes, nameEnd) === OPT_TYPE) {
      // RFC 6891 section 6.1.1: at most one, of the root, among the additional records.
      if (edns !== undefined || nameEnd !== at + 1 || index < answers + authorities) return 'malformed';
      const codes = optionCodes(bytes, dataStart, dataEnd);
      if (codes === undefined) return 'malformed';
      edns = {
        payloadBytes: uint16(bytes, nameEnd + 2),
        version: bytes[nameEnd + 5] as number,
        dnssecOk: ((bytes[nameEnd + 6] as number) & 0x80) !== 0,
        ...(codes.length === 0 ? {} : { optionCodes: codes }),
      };
    }
    at = dataEnd;
  }
  return edns;
}

/** The offset behind a name; where its pointer leads does not matter here. */
function skipName(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  for (let length = bytes[at]; length !== undefined; length = bytes[at]) {
    if (length === 0) return at + 1;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return undefined;
    at += length + 1;
  }
  return undefined;
}

function optionCodes(bytes: Uint8Array, start: number, end: number): number[] | undefined {
  const codes: number[] = [];
  let at = start;
  while (at < end) {
    if (at + 4 > end) return undefined;
    codes.push(uint16(bytes, at));
    at += 4 + uint16(bytes, at + 2);
  }
  return at === end ? codes : undefined;
}

export interface Asked {
  readonly id: number;
  /** 0, a query, when it is not named. */
  readonly opcode?: number;
  /** Undefined when there is no whole question. */
  readonly question?: Question;
  readonly questionBytes: Uint8Array;
  readonly recursionDesired?: boolean;
  readonly checkingDisabled?: boolean;
  readonly edns?: Edns | undefined;
}

interface EncodedReply {
  readonly asked: Asked;
  readonly limitBytes: number;
  readonly bytes: Uint8Array;
}

/** Replies that are given many times, with the bytes that they were the last time. */
const repeated = new WeakMap<Reply, EncodedReply | undefined>();

/** Keeps the bytes of this very reply, which answers questions of one name, type and class: of an entry of a cache. */
export function expectRepeats(reply: Reply): void {
  if (!repeated.has(reply)) repeated.set(reply, undefined);
}

/**
 * An answer of at most `limitBytes`. Additional records are left out first; when the answer itself does not fit, as many
 * records as do are sent with the truncation bit (RFC 2181 section 9), so that the client asks again over TCP.
 */
export function encodeReply(asked: Asked, reply: Reply, limitBytes: number): Uint8Array {
  const before = repeated.get(reply);
  if (before !== undefined && before.limitBytes === limitBytes && isAskedAlike(before.asked, asked)) {
    return readdressed(before.bytes, asked);
  }
  const bytes = encodeAnew(asked, reply, limitBytes);
  if (repeated.has(reply)) repeated.set(reply, { asked: detached(asked), limitBytes, bytes: bytes.slice() });
  return bytes;
}

/** Whether the answers to both differ in nothing but the identifier and the case of the question. */
function isAskedAlike(one: Asked, other: Asked): boolean {
  return (
    one.question !== undefined &&
    other.question !== undefined &&
    one.question.key === other.question.key &&
    one.question.type === other.question.type &&
    one.question.class === other.question.class &&
    one.recursionDesired === other.recursionDesired &&
    one.checkingDisabled === other.checkingDisabled &&
    (one.edns === undefined) === (other.edns === undefined) &&
    one.edns?.dnssecOk === other.edns?.dnssecOk
  );
}

/** Without the datagram that the query came in. */
function detached(asked: Asked): Asked {
  const { id, question, recursionDesired, checkingDisabled, edns } = asked;
  return { id, question, recursionDesired, checkingDisabled, edns, questionBytes: NO_BYTES };
}

function readdressed(bytes: Uint8Array, { id, questionBytes }: Asked): Uint8Array {
  const answer = Buffer.allocUnsafe(bytes.length);
  answer.set(bytes);
  answer[0] = id >>> 8;
  answer[1] = id & 255;
  answer.set(questionBytes, HEADER_BYTES);
  return answer;
}

function encodeAnew(asked: Asked, reply: Reply, limitBytes: number): Uint8Array {
  const options = reply.ednsOptions ?? [];
  const optBytes = asked.edns === undefined ? 0 : OPT_BYTES + optionsBytes(options);
  const writer = new MessageWriter(limitBytes - optBytes, asked.questionBytes, asked.question);
  const answers = writer.records(reply.answers);
  const authorities = answers === reply.answers.length ? writer.records(reply.authorities) : 0;
  const truncated =
    reply.truncated === true || answers < reply.answers.length || authorities < reply.authorities.length;
  const additionals = truncated ? 0 : writer.records(reply.additionals);
  writer.limitBytes = limitBytes;
  if (asked.edns !== undefined) writer.opt(RCODES[reply.rcode] >>> 4, asked.edns.dnssecOk, options);
  const flags =
    RESPONSE_BIT |
    ((asked.opcode ?? 0) << 11) |
    (reply.authoritative ? 0x0400 : 0) |
    (truncated ? 0x0200 : 0) |
    ((reply.recursionDesired ?? asked.recursionDesired) ? RECURSION_DESIRED_BIT : 0) |
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
