/** Headers on their way through the proxy: in lower case as Envoy writes them, in their order. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Of one connection alone (RFC 9110 section 7.6.1). */
const HOP_BY_HOP = ['connection', 'keep-alive', 'proxy-connection', 'te'];

/** Name, value, name, value, ... as `rawHeaders` has them. */
export function forwardedHeaders({ rawHeaders }: IncomingMessage, left: readonly string[] = []): string[] {
  const headers: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (!HOP_BY_HOP.includes(name) && !left.includes(name)) headers.push(name, rawHeaders[i + 1]!);
  }
  return headers;
}

/** What the server gets: the client's, and what Envoy adds. A connection that is to change its protocol says so again. */
export function headersTo(request: IncomingMessage): string[] {
  const { headers } = request;
  const upgrades = headers.upgrade === undefined ? [] : ['connection', 'upgrade'];
  const missing = (name: string, value: string) => (headers[name] === undefined ? [name, value] : []);
  return [
    ...forwardedHeaders(request),
    ...upgrades,
    ...missing('x-forwarded-proto', 'http'),
    ...missing('x-request-id', randomUUID()),
  ];
}

/** Of the request's target, if it says, else of its header. */
export function hostOf({ url = '', headers }: IncomingMessage): string {
  return /^[a-z]+:\/\/([^/?#]*)/i.exec(url)?.[1] ?? headers.host ?? '';
}
