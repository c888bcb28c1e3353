/**
 * DNS messages (RFC 1035, EDNS0 RFC 6891) between bytes and values. dns-packet decodes; answers are written here, with name
 * compression, the question's own bytes (its upper and lower case is the client's, RFC 4343) and a bound on their size.
 */
import dnsPacket, { type Answer, type DecodedPacket } from 'dns-packet';
import { HEADER_BYTES, MessageWriter, OPT_BYTES, optionsBytes } from './message-writer.ts';
import { plainName } from './zone.ts';

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
  /** Options for a client that speaks EDNS0. */
  readonly ednsOptions?: readonly EdnsOption[];
  /** Overrides the query's. */
  readonly recursionDesired?: boolean;
  /** Sent with the truncation bit although it fits. */
  readonly truncated?: boolean;
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

export type Decoded =
  | { readonly kind: 'query'; readonly query: DecodedQuery }
  /** To be answered with an error; `questionBytes` are empty when there is no whole question. */
  | { readonly kind: 'error'; readonly id: number; readonly rcode: Rcode; readonly questionBytes: Uint8Array }
  /** Not worth an answer: too short, or itself an answer. */
  | { readonly kind: 'ignore' };

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
  const { udpPayloadSize, ednsVersion, flag_do, options } = option as {
    udpPayloadSize: number;
    ednsVersion: number;
    flag_do: boolean;
    options?: readonly { readonly code: number }[];
  };
  const edns = { payloadBytes: udpPayloadSize, version: ednsVersion, dnssecOk: flag_do };
  return options === undefined || options.length === 0
    ? edns
    : { ...edns, optionCodes: options.map(({ code }) => code) };
}

export interface Asked {
  readonly id: number;
  readonly questionBytes: Uint8Array;
  readonly recursionDesired?: boolean;
  readonly checkingDisabled?: boolean;
  readonly edns?: Edns | undefined;
}

/**
 * An answer of at most `limitBytes`. Additional records are left out first; when the answer itself does not fit, as many
 * records as do are sent with the truncation bit (RFC 2181 section 9), so that the client asks again over TCP.
 */
export function encodeReply(asked: Asked, reply: Reply, limitBytes: number): Uint8Array {
  const options = reply.ednsOptions ?? [];
  const optBytes = asked.edns === undefined ? 0 : OPT_BYTES + optionsBytes(options);
  const writer = new MessageWriter(limitBytes - optBytes, asked.questionBytes);
  const answers = writer.records(reply.answers);
  const authorities = answers === reply.answers.length ? writer.records(reply.authorities) : 0;
  const truncated =
    reply.truncated === true || answers < reply.answers.length || authorities < reply.authorities.length;
  const additionals = truncated ? 0 : writer.records(reply.additionals);
  writer.limitBytes = limitBytes;
  if (asked.edns !== undefined) writer.opt(RCODES[reply.rcode] >>> 4, asked.edns.dnssecOk, options);
  const flags =
    RESPONSE_BIT |
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
