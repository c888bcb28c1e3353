/**
 * The subject by which a node sends a packet for one of its pods to see what becomes of it (`podwire explain`): of TCP a SYN,
 * which no program gets to know, as a reset follows the answer; of ICMP an echo request; of UDP a datagram that the server's
 * node was told to await, and answers in the program's place.
 */
import { number, object, optionalString, string, UnexpectedMessageError } from './message-fields.ts';
import { requestSubject } from './subjects.ts';

export const PROBE_PROTOCOLS = ['tcp', 'udp', 'icmp'] as const;
export type ProbeProtocol = (typeof PROBE_PROTOCOLS)[number];

export interface SentProbe {
  readonly action: 'send';
  /** `shop/web`; absent where the node itself sends. */
  readonly pod?: string;
  readonly protocol: ProbeProtocol;
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** What a datagram carries. */
  readonly token: string;
}

export type PacketProbeRequest =
  | SentProbe
  | { readonly action: 'await'; readonly pod?: string; readonly token: string; readonly timeoutMs: number };

const OUTCOMES = ['answered', 'refused', 'unreachable', 'timeout', 'unsent', 'awaited'] as const;

export interface PacketProbeReply {
  /** `unsent`: the pod's own stack would not send it. */
  readonly outcome: (typeof OUTCOMES)[number];
  /** Who said so, or the error of the socket call. */
  readonly detail?: string;
  readonly rttUs?: number;
}

/** Fails with BadRequest for a pod that has no network there. */
export const NODE_PROBE = requestSubject<PacketProbeRequest, PacketProbeReply>(
  'node.{node}.probe',
  (value) => {
    const message = object(value, 'a probe');
    const common = {
      pod: optionalString(message, 'pod'),
      token: string(message, 'token'),
      timeoutMs: number(message, 'timeoutMs'),
    };
    if (message.action === 'await') return { action: 'await', ...common };
    if (message.action !== 'send') throw new UnexpectedMessageError(`a probe has the action ${String(message.action)}`);
    const protocol = oneOf(string(message, 'protocol'), PROBE_PROTOCOLS);
    return { action: 'send', ...common, protocol, address: string(message, 'address'), port: number(message, 'port') };
  },
  (value) => {
    const message = object(value, 'an outcome of a probe');
    const rttUs = typeof message.rttUs === 'number' ? message.rttUs : undefined;
    const outcome = oneOf(string(message, 'outcome'), OUTCOMES);
    return { outcome, detail: optionalString(message, 'detail'), rttUs };
  },
);

function oneOf<Word extends string>(text: string, words: readonly Word[]): Word {
  const word = words.find((one) => one === text);
  if (word === undefined) throw new UnexpectedMessageError(`a probe has ${text}, none of ${words.join(', ')}`);
  return word;
}
