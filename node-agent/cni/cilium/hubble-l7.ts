/** What hubble says of questions and answers that a proxy saw, in the original's words. */
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import type { FlowRecord, L7Flow } from '../../datapath/cilium/flow-log.ts';

/** Of an answer without records: as the original's unsigned number that was never set. */
const NO_TTL = 4_294_967_295;
/** RFC 1035 section 4.1.1: the numbers, and how the original's library calls them. */
const RCODES: Readonly<Record<string, readonly [number: number, text: string]>> = {
  NOERROR: [0, 'No Error'],
  FORMERR: [1, 'Format Error'],
  SERVFAIL: [2, 'Server Failure '],
  NXDOMAIN: [3, 'Non-Existent Domain'],
  NOTIMP: [4, 'Not Implemented'],
  REFUSED: [5, 'Query Refused'],
};
const NANOSECONDS_PER_MS = 1e6;

/** `http-request`, `dns-response proxy`. */
export function l7Event({ kind, isResponse }: L7Flow): string {
  return `${kind}-${isResponse ? 'response' : 'request'}${kind === 'dns' ? ' proxy' : ''}`;
}

export function l7Summary(flow: L7Flow): string {
  if (flow.kind === 'http') {
    const { version, method, url, code, latencyMs, isResponse } = flow;
    return isResponse
      ? `${version} ${code} ${Math.round(latencyMs)}ms (${method} ${url})`
      : `${version} ${method} ${url}`;
  }
  const { isResponse, name, type } = flow;
  return isResponse ? `DNS Answer ${answerText(flow)} (Proxy ${name} ${type})` : `DNS Query ${name} ${type}`;
}

function answerText({ rcode, addresses, ttlSeconds }: Extract<L7Flow, { kind: 'dns' }>): string {
  const [number, text] = RCODES[rcode] ?? [0, rcode];
  const ttl = `TTL: ${addresses.length === 0 ? NO_TTL : ttlSeconds}`;
  if (number !== 0) return `RCode: ${text.trim()} ${ttl}`;
  return addresses.length === 0 ? ` ${ttl}` : `"${addresses.map(formatAddress).join(',')}" ${ttl}`;
}

/** The field `l7` of a flow in JSON. */
export function l7Json(flow: L7Flow): object {
  const type = flow.isResponse ? 'RESPONSE' : 'REQUEST';
  if (flow.kind === 'http') {
    const { method, url, version: protocol, headers, code, latencyMs, isResponse } = flow;
    const shown = headers.map(([key, value]) => ({ key, value }));
    const answer = isResponse ? { code } : {};
    const latency = isResponse ? { latency_ns: `${Math.round(latencyMs * NANOSECONDS_PER_MS)}` } : {};
    return { type, ...latency, http: { ...answer, method, url, protocol, headers: shown } };
  }
  const { name: query, type: qtype, rcode, addresses, ttlSeconds: ttl, isResponse } = flow;
  const common = { query, observation_source: 'proxy', qtypes: [qtype] };
  if (!isResponse) return { type, dns: common };
  const [number] = RCODES[rcode] ?? [0];
  return { type, dns: { ...common, ips: addresses.map(formatAddress), ttl, rcode: number, rrtypes: [qtype] } };
}

/** `http`, `dns`; empty for packets. */
export function l7Kind({ l7 }: FlowRecord): string {
  return l7?.kind ?? '';
}

export function passesHttpMethod({ l7 }: FlowRecord, wanted: string): boolean {
  return l7?.kind === 'http' && l7.method === wanted.toUpperCase();
}

export function passesHttpPath({ l7 }: FlowRecord, wanted: RegExp): boolean {
  return l7?.kind === 'http' && wanted.test(l7.url.replace(/^[a-z]+:\/\/[^/]*/i, ''));
}

/** Of answers alone. */
export function passesHttpStatus({ l7 }: FlowRecord, wanted: string): boolean {
  return l7?.kind === 'http' && l7.isResponse && statusFits(`${l7.code}`, wanted);
}

/** `404`, or `5+` for all that begin so. */
function statusFits(code: string, wanted: string): boolean {
  return wanted.endsWith('+') ? code.startsWith(wanted.slice(0, -1)) : code === wanted;
}
