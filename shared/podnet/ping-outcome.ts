import type { PingResult } from '../netstack/icmp.ts';
import { formatAddress } from '../wire/ip-address.ts';
import type { PingOutcome } from './pod-network.ts';

/** `elapsedMs` by the real clock: the engine's stands still within a turn, in which a pod of the same node answers. */
export function pingOutcome(
  result: Exclude<PingResult, { kind: 'error' }>,
  sequence: number,
  elapsedMs: number,
): PingOutcome {
  switch (result.kind) {
    case 'reply': {
      const reply = { sequence, bytes: result.bytes, ttl: result.ttl, rttMs: elapsedMs };
      return { kind: 'reply', from: formatAddress(result.from), reply };
    }
    case 'unreachable':
      return {
        kind: 'unreachable',
        from: formatAddress(result.from),
        code: result.code,
        mtuBytes: result.mtuBytes,
        ttl: result.ttl,
      };
    case 'time-exceeded':
      return { kind: 'time-exceeded', from: formatAddress(result.from), ttl: result.ttl };
    default:
      return { kind: 'timeout' };
  }
}
