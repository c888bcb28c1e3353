/** A request that the rules of its moment were asked about, in whatever version of HTTP, and what hubble hears of it. */
import type { DropReason } from '../../../../shared/netstack/hooks.ts';
import { type HttpRequestFacts, httpRuleAllows } from '../../../../shared/policy/http-match.ts';
import type { FlowEnds, L7Flow } from '../../../datapath/cilium/flow-log.ts';
import { denialOf } from '../../../datapath/policy/l7-denied.ts';
import type { ProxiedConnection } from './proxied-connection.ts';

export const DENIED_BODY = 'Access denied\r\n';
export const MAX_HEADER_BYTES = 60 * 1024; // Envoy's

/** Within a turn of the data path, whose time the log reads. */
export type HttpLog = (ends: FlowEnds, flow: L7Flow, drop: DropReason | null) => void;

export interface HttpAsked extends HttpRequestFacts {
  /** `HTTP/1.1`, `HTTP/2` */
  readonly version: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** It asks for something that nobody could look into: no rule allows that. */
  readonly isOpaque: boolean;
}

export class HttpExchange {
  readonly asked: HttpAsked;
  /** Why it may not go on; null if it may. */
  readonly drop: DropReason | null;
  private readonly ends: FlowEnds;
  private readonly log: HttpLog;
  private readonly beganMs = performance.now();

  constructor(connection: ProxiedConnection, asked: HttpAsked, log: HttpLog) {
    this.asked = asked;
    this.ends = connection.ends;
    this.log = log;
    this.drop = refusalOf(connection, asked);
    this.say({ isResponse: false, code: 0, latencyMs: 0 }, this.drop);
  }

  get tookMs(): number {
    return performance.now() - this.beganMs;
  }

  answered(code: number): void {
    this.say({ isResponse: true, code, latencyMs: this.tookMs }, null);
  }

  private say(
    said: { readonly isResponse: boolean; readonly code: number; readonly latencyMs: number },
    drop: DropReason | null,
  ): void {
    const { method, host, path, version, headers } = this.asked;
    this.log(this.ends, { kind: 'http', method, url: `http://${host}${path}`, version, headers, ...said }, drop);
  }
}

function refusalOf(connection: ProxiedConnection, asked: HttpAsked): DropReason | null {
  const decision = connection.decision();
  const alternatives = decision?.alternatives ?? [];
  if (asked.isOpaque) return denialOf(alternatives);
  if (decision === null) return null;
  const allows = alternatives.some(
    ({ rules }) => rules === null || (rules.kind === 'http' && rules.rules.some((rule) => httpRuleAllows(rule, asked))),
  );
  return allows ? null : denialOf(alternatives);
}

/** Why no answer of the server's comes, in Envoy's words. */
export interface UpstreamFailure {
  readonly code: number;
  readonly reason: string;
}

export const PROTOCOL_ERROR: UpstreamFailure = { code: 502, reason: 'protocol error' };

/** `ECONNRESET`, of a socket's error or of a parser's; empty for what is none. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

export function connectionFailure(code: string): UpstreamFailure {
  return { code: 503, reason: code === 'ECONNRESET' ? 'connection termination' : 'connection failure' };
}

export function failureBody({ reason }: UpstreamFailure): string {
  return `upstream connect error or disconnect/reset before headers. reset reason: ${reason}`;
}
