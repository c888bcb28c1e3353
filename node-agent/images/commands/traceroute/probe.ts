/** One probe of a traceroute, with few hops to live, and who answered. */
import type { PingOptions, PingOutcome, PodNetwork } from '../../../../shared/podnet/pod-network.ts';

export type ProbeResult =
  | { readonly kind: 'silence' }
  | {
      readonly kind: 'answer';
      readonly from: string;
      readonly rttMs: number;
      /** It came from the target, or from a router that goes no further. */
      readonly isFinal: boolean;
      readonly outcome: PingOutcome;
    };

/** Rejects with the socket's error when the probe cannot be sent. */
export async function probe(network: PodNetwork, options: PingOptions, signal: AbortSignal): Promise<ProbeResult> {
  const sentMs = performance.now();
  const outcome = await network.ping(options, signal);
  if (outcome.kind === 'timeout') return { kind: 'silence' };
  const rttMs = outcome.kind === 'reply' ? outcome.reply.rttMs : performance.now() - sentMs;
  return { kind: 'answer', from: outcome.from, rttMs, isFinal: outcome.kind !== 'time-exceeded', outcome };
}

const MARKS: Readonly<Record<number, string>> = {
  0: '!N',
  1: '!H',
  2: '!P',
  5: '!S',
  6: '!N',
  7: '!H',
  9: '!N',
  10: '!H',
  13: '!X',
  14: '!V',
  15: '!C',
};

/** Of hosts, not of routers: the target answered. */
export const PORT_UNREACHABLE = 3;
/** Where UDP's probes go, each to the next port: nobody listens there. */
export const FIRST_UDP_PORT = 33_434;
const FRAGMENTATION_NEEDED = 4;

/** ` !H` and its kin for an answer that says why it went no further; empty for others. */
export function mark(outcome: PingOutcome): string {
  if (outcome.kind !== 'unreachable' || outcome.code === PORT_UNREACHABLE) return '';
  if (outcome.code === FRAGMENTATION_NEEDED) return ` !F-${outcome.mtuBytes ?? 0}`;
  return ` ${MARKS[outcome.code] ?? `!<${outcome.code}>`}`;
}
