/** Why an upstream gave no answer, as the original says it: patterns of `consolidate` are written for these texts. */
import { DnsTimeoutError } from '../../../shared/podnet/dns-query.ts';

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
};
/** What fails before anything was asked. */
const OF_CONNECT = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT']);

/** `read udp 10.96.5.53:53: i/o timeout`, `dial tcp 10.96.5.53:53: connect: connection refused` */
export function upstreamError(error: unknown, transport: 'udp' | 'tcp', to: string): unknown {
  if (error instanceof DnsTimeoutError) {
    return new Error(`${error.connecting ? 'dial' : 'read'} ${transport} ${to}: i/o timeout`, { cause: error });
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = REASONS[code];
  if (reason === undefined) return error;
  const [call, step] = transport === 'tcp' && OF_CONNECT.has(code) ? ['dial', 'connect'] : ['read', 'read'];
  return new Error(`${call} ${transport} ${to}: ${step}: ${reason}`, { cause: error });
}
