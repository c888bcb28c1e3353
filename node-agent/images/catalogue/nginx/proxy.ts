/** `proxy_pass`: the request goes on to another server, its answer comes back as it flows. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { PodHttpAgent, requestFrom } from '../../../../shared/podnet/http.ts';
import { goNetworkError } from '../go-network-error.ts';
import type { Exchange } from './exchange.ts';
import type { Nginx } from './handler.ts';
import type { Scope } from './scope.ts';
import type { Location } from './virtual-server.ts';

const CONNECT_TIMEOUT_MS = 60_000;
/** RFC 9110 section 7.6.1: these belong to one connection. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
]);

export interface ProxyFailure {
  readonly status: 502 | 504;
  readonly message: string;
}

/** Undefined once the answer is on its way; the members of an upstream are tried in turn. */
export async function proxyPass(
  nginx: Nginx,
  exchange: Exchange,
  location: Location | undefined,
  scope: Scope,
  target: string,
): Promise<ProxyFailure | undefined> {
  const [, authority = '', uri] = /^https?:\/\/([^/]+)(\/.*)?$/.exec(exchange.expand(target)) ?? [];
  const path = proxiedPath(exchange, location, uri);
  const members = nextInTurn(nginx, authority);
  let failure: ProxyFailure | undefined;
  for (const member of members) {
    exchange.upstreamAddress = member;
    failure = await passTo(nginx, exchange, member, path, requestHeaders(exchange, scope, authority));
    if (failure === undefined) return undefined;
    // A body that was read cannot be sent twice.
    if (exchange.request.readableDidRead || exchange.response.headersSent) break;
  }
  return failure ?? { status: 502, message: `no live upstreams while connecting to upstream "${authority}"` };
}

/** With a URI in `proxy_pass` it replaces the location's own path; without one the request's URI goes on as it came. */
function proxiedPath(exchange: Exchange, location: Location | undefined, uri: string | undefined): string {
  const { request, path, query } = exchange;
  if (uri === undefined || location === undefined || location.kind === 'regex') return request.url ?? '/';
  return `${uri}${encodeURI(path.slice(location.path.length))}${query === '' ? '' : `?${query}`}`;
}

const turns = new WeakMap<readonly string[], number>();

function nextInTurn({ site }: Nginx, authority: string): readonly string[] {
  const members = site.upstreams.get(authority);
  if (members === undefined) return [authority];
  const turn = turns.get(members) ?? 0;
  turns.set(members, turn + 1);
  const start = turn % Math.max(1, members.length);
  return [...new Set([...members.slice(start), ...members.slice(0, start)])];
}

function requestHeaders(exchange: Exchange, scope: Scope, authority: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(exchange.request.headers))
    if (!HOP_BY_HOP.has(name)) headers[name] = value;
  headers.host = authority;
  headers.connection = 'close';
  for (const { args } of scope.all('proxy_set_header')) {
    const [name = '', value = ''] = args;
    const text = exchange.expand(value, { proxy_host: authority });
    if (text === '') delete headers[name.toLowerCase()];
    else headers[name.toLowerCase()] = text;
  }
  return headers;
}

function passTo(
  { container, signal }: Nginx,
  exchange: Exchange,
  member: string,
  path: string,
  headers: OutgoingHttpHeaders,
): Promise<ProxyFailure | undefined> {
  const { network, resolver } = container;
  const [host = '', port = '80'] = member.split(':');
  const agent = new PodHttpAgent({ network, lookup: (name) => resolver.lookupOne(name, signal), signal });
  return new Promise((resolve) => {
    const { method } = exchange.request;
    const upstream = requestFrom(agent, {
      host,
      port: Number(port),
      path,
      method,
      headers,
      timeout: CONNECT_TIMEOUT_MS,
    });
    upstream.on('response', (answer) => {
      relay(answer, exchange);
      resolve(undefined);
    });
    upstream.on('timeout', () => {
      resolve({ status: 504, message: 'upstream timed out (110: Connection timed out)' });
      upstream.destroy();
    });
    upstream.on('error', (error) => {
      const text = `${goNetworkError(error, 'connect()', member)}, upstream: "http://${member}${path}"`;
      if (exchange.response.headersSent) exchange.response.destroy();
      resolve({ status: 502, message: text });
    });
    exchange.response.once('close', () => upstream.destroy());
    exchange.request.pipe(upstream);
  });
}

function relay(answer: IncomingMessage, { response }: Exchange): void {
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name) && name !== 'server') response.setHeader(name, value);
  }
  response.writeHead(answer.statusCode ?? 502);
  answer.pipe(response);
  answer.on('error', () => response.destroy());
}
