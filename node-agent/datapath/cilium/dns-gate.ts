/** The DNS part of cilium's proxy: which questions pods may ask, and what the answers tell of names. */
import type { L7Decision } from '../../../shared/policy/l7-rules.ts';
import { fullName, nameMatches } from '../../../shared/policy/name-pattern.ts';
import { denialOf } from '../policy/l7-denied.ts';
import type { FlowEnds, FlowLog } from './flow-log.ts';
import type { FqdnCache } from './fqdn-cache.ts';

/** Of a message with one question, as pods send them. */
export interface DnsMessage {
  readonly isResponse: boolean;
  /** `NOERROR`. */
  readonly rcode: string;
  readonly name: string;
  /** `A`. */
  readonly type: string;
  /** Of the answer section; addresses of A and AAAA records as numbers. */
  readonly answers: readonly { readonly type: string; readonly ttlSeconds: number; readonly address?: number }[];
}

/** Undefined for what is no message. */
export type DnsDecoder = (bytes: Uint8Array) => DnsMessage | undefined;

const HEADER_BYTES = 12;
const RESPONSE_FLAG = 0x80;
const RECURSION_DESIRED_AND_OPCODE = 0x79;
const REFUSED = 5;
const ADDRESS_TYPES = ['A', 'AAAA'];

export class DnsGate {
  private readonly decode: DnsDecoder;
  private readonly cache: FqdnCache;
  private readonly flows: FlowLog;

  constructor(decode: DnsDecoder, cache: FqdnCache, flows: FlowLog) {
    this.decode = decode;
    this.cache = cache;
    this.flows = flows;
  }

  /** `pass`, or the answer that refuses; `malformed` is none of it. */
  query(ends: FlowEnds, bytes: Uint8Array, { alternatives }: L7Decision): 'pass' | 'malformed' | Uint8Array {
    const message = this.decode(bytes);
    if (message === undefined || message.isResponse) return 'malformed';
    const allows = alternatives.some(
      ({ rules }) =>
        rules === null || (rules.kind === 'dns' && rules.rules.some((pattern) => nameMatches(pattern, message.name))),
    );
    this.flows.addL7(ends, dnsFlow(message), allows ? null : denialOf(alternatives));
    return allows ? 'pass' : refusalOf(bytes);
  }

  /** What the pod is about to be told is in force when this returns. False for what is no answer. */
  answer(ends: FlowEnds, bytes: Uint8Array): boolean {
    const message = this.decode(bytes);
    if (message === undefined || !message.isResponse) return false;
    const addresses = message.answers.flatMap(({ address }) => address ?? []);
    const ttls = message.answers.map(({ ttlSeconds }) => ttlSeconds);
    if (message.rcode === 'NOERROR' && addresses.length > 0) {
      this.cache.learn(ends.client, fullName(message.name), addresses, Math.min(...ttls));
    }
    this.flows.addL7(ends, dnsFlow(message), null);
    return true;
  }
}

function dnsFlow({ isResponse, name, type, rcode, answers }: DnsMessage) {
  return {
    kind: 'dns',
    isResponse,
    name: fullName(name),
    type,
    rcode,
    addresses: answers.flatMap(({ address }) => address ?? []),
    ttlSeconds: answers.length === 0 ? 0 : Math.min(...answers.map(({ ttlSeconds }) => ttlSeconds)),
    recordTypes: answers.map((answer) => answer.type).filter((one) => !ADDRESS_TYPES.includes(one)),
  } as const;
}

/** The question again, as a response that refuses (RFC 1035 section 4.1.1). */
function refusalOf(query: Uint8Array): Uint8Array {
  const answer = query.slice(0, questionEnd(query));
  answer[2] = (answer[2]! & RECURSION_DESIRED_AND_OPCODE) | RESPONSE_FLAG;
  answer[3] = REFUSED;
  answer[4] = 0;
  answer[5] = 1;
  answer.fill(0, 6, HEADER_BYTES);
  return answer;
}

/** The decoder found a whole question there. */
function questionEnd(message: Uint8Array): number {
  let at = HEADER_BYTES;
  while (at < message.length && message[at] !== 0) at += message[at]! + 1;
  return Math.min(message.length, at + 1 + 4);
}
