/**
 * What kube-proxy says of itself (`healthzBindAddress`, `metricsBindAddress` of its configuration): /healthz and /livez for load
 * balancers of Services whose policy is Cluster, /metrics and /proxyMode for people (pkg/proxy/healthcheck, cmd/kube-proxy).
 */
import type { HttpReply, HttpResponder } from './node-http.ts';

export interface ProxyFacts {
  readonly mode: string;
  readonly nowMs: () => number;
  readonly lastSyncedMs: () => number;
  /** Whether this proxy keeps up with the cluster. */
  readonly isHealthy: () => boolean;
  /** false while the node is about to go: no new traffic should come here. */
  readonly isNodeEligible: () => boolean;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
}

const JSON_HEADERS = { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' };
const TEXT_HEADERS = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' };
const NOT_FOUND: HttpReply = { status: 404, headers: TEXT_HEADERS, body: '404 page not found\n' };

export function healthResponder(facts: ProxyFacts): HttpResponder {
  return (path) => {
    if (path !== '/healthz' && path !== '/livez') return NOT_FOUND;
    const healthy = facts.isHealthy();
    const eligible = facts.isNodeEligible();
    const nowMs = facts.nowMs();
    const lastUpdated = formatTime(healthy ? nowMs : facts.lastSyncedMs());
    const times = `"lastUpdated": "${lastUpdated}","currentTime": "${formatTime(nowMs)}"`;
    // A node that goes is alive: only /healthz, which load balancers ask, says no.
    if (path === '/livez') return { status: healthy ? 200 : 503, headers: JSON_HEADERS, body: `{${times}}` };
    const status = healthy && eligible ? 200 : 503;
    return { status, headers: JSON_HEADERS, body: `{${times}, "nodeEligible": ${eligible}}` };
  };
}

export function metricsResponder(facts: ProxyFacts): HttpResponder {
  return async (path) => {
    if (path === '/healthz') return { status: 200, headers: TEXT_HEADERS, body: 'ok' };
    if (path === '/proxyMode') return { status: 200, headers: TEXT_HEADERS, body: facts.mode };
    if (path !== '/metrics') return NOT_FOUND;
    const { contentType, body } = await facts.metrics();
    return { status: 200, headers: { 'Content-Type': contentType }, body };
  };
}

/** `2026-01-31 08:00:00.123 +0000 UTC`, as Go prints times. */
function formatTime(atMs: number): string {
  return new Date(atMs).toISOString().replace('T', ' ').replace('Z', ' +0000 UTC');
}
