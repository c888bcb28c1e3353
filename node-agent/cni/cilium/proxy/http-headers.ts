/** Headers on their way through the proxy: in lower case as Envoy writes them, in their order. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Of one connection alone (RFC 9110 section 7.6.1); what stands behind a body does not pass, so nothing announces it. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'http2-settings'];
const WEBSOCKET = 'websocket';
const HTTP2 = 'h2c';

/** Name, value, name, value, ... as `rawHeaders` has them. */
export function forwardedHeaders({ rawHeaders }: IncomingMessage, left: readonly string[] = []): string[] {
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!HOP_BY_HOP.includes(name) && !left.includes(name)) headers.push(name, rawHeaders[i + 1]!);
  }
  return headers;
}

/** What the server gets: the client's, and what Envoy adds. `upgrades`: the connection is to change its protocol. */
export function headersTo(request: IncomingMessage, upgrades: boolean): string[] {
  const { headers } = request;
  const missing = (name: string, value: string) => (headers[name] === undefined ? [name, value] : []);
  return [
    'host',
    hostOf(request),
    ...forwardedHeaders(request, upgrades ? ['host'] : ['host', 'upgrade']),
    ...(upgrades ? ['connection', 'upgrade'] : []),
    ...missing('x-forwarded-proto', 'http'),
    ...missing('x-request-id', randomUUID()),
  ];
}

/** It offers HTTP/2 beside, and is whole without (RFC 7540 section 3.2). */
export function wantsHttp2({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === HTTP2;
}

/** Of a request that asks to change the protocol: what follows is not looked into, so not any protocol will do. */
export function isKnownUpgrade(request: IncomingMessage): boolean {
  const { upgrade, connection = '' } = request.headers;
  if (upgrade === undefined || !/\bupgrade\b/i.test(connection)) return true; // it does not ask
  if (!wantsHttp2(request)) return upgrade.toLowerCase() === WEBSOCKET;
  const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
  return length === '0' && coding === undefined;
}

/** Of the request's target, if it says, else of its header. */
export function hostOf({ url = '', headers }: IncomingMessage): string {
  return /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers.host ?? '';
}
