/** One request as nginx sees it, and the variables (`$uri`, `$http_host`, ...) by which directives refer to it. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessEntry } from '../access-log.ts';
import { logTime } from '../access-log.ts';
import type { VirtualServer } from './virtual-server.ts';

export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly server: VirtualServer;
  readonly hostname: string;
  readonly scheme: 'http' | 'https';
  readonly startedMs = performance.now();
  readonly client: string;
  /** Decoded path without the query; rewritten by internal redirects. */
  path: string;
  readonly query: string;
  /** Where a proxied request went. */
  upstreamAddress = '-';
  /** What the regular expression of the location captured. */
  captures: RegExpExecArray | null = null;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    server: VirtualServer,
    place: { readonly hostname: string; readonly scheme: 'http' | 'https' },
  ) {
    this.request = request;
    this.response = response;
    this.server = server;
    this.hostname = place.hostname;
    this.scheme = place.scheme;
    this.client = request.socket.remoteAddress ?? '-';
    const [path = '/', query = ''] = (request.url ?? '/').split(/\?(.*)/s);
    this.path = decodedPath(path);
    this.query = query;
  }

  /** Puts variables into a text; an unknown one is empty. */
  expand(text: string, extra: Readonly<Record<string, string>> = {}): string {
    return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced: string | undefined, bare: string | undefined) => {
      const name = braced ?? bare ?? '';
      return extra[name] ?? this.variable(name) ?? '';
    });
  }

  /** The variables that only the log has. */
  logVariables(entry: AccessEntry): Readonly<Record<string, string>> {
    return {
      status: String(entry.status),
      body_bytes_sent: String(entry.bodyBytes),
      time_local: logTime(entry.moment),
    };
  }

  private variable(name: string): string | undefined {
    if (/^\d$/.test(name)) return this.captures?.[Number(name)];
    const captured = this.captures?.groups?.[name];
    if (captured !== undefined) return captured;
    if (name.startsWith('http_')) return this.header(name.slice(5));
    if (name.startsWith('arg_')) return new URLSearchParams(this.query).get(name.slice(4)) ?? '';
    return VARIABLES[name]?.(this);
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name.replaceAll('_', '-').toLowerCase()];
    return Array.isArray(value) ? value.join(', ') : value;
  }
}

const VARIABLES: Readonly<Record<string, (exchange: Exchange) => string>> = {
  args: ({ query }) => query,
  document_uri: ({ path }) => path,
  host: (exchange) => exchange.header('host')?.replace(/:\d+$/, '') ?? exchange.server.names[0] ?? '',
  hostname: ({ hostname }) => hostname,
  is_args: ({ query }) => (query === '' ? '' : '?'),
  nginx_version: () => '1.27.5',
  pid: () => '1',
  proxy_add_x_forwarded_for: (exchange) =>
    [exchange.header('x-forwarded-for'), exchange.client].filter((part) => part !== undefined).join(', '),
  query_string: ({ query }) => query,
  remote_addr: ({ client }) => client,
  remote_port: ({ request }) => String(request.socket.remotePort ?? ''),
  remote_user: () => '-',
  request: ({ request }) => `${request.method} ${request.url} HTTP/${request.httpVersion}`,
  request_method: ({ request }) => request.method ?? '',
  request_time: ({ startedMs }) => ((performance.now() - startedMs) / 1000).toFixed(3),
  request_uri: ({ request }) => request.url ?? '',
  scheme: ({ scheme }) => scheme,
  server_addr: ({ request }) => request.socket.localAddress ?? '',
  server_name: ({ server }) => server.names[0] ?? '',
  server_port: ({ request }) => String(request.socket.localPort ?? ''),
  server_protocol: ({ request }) => `HTTP/${request.httpVersion}`,
  time_iso8601: () => new Date().toISOString().replace(/\.\d+Z$/, '+00:00'),
  upstream_addr: ({ upstreamAddress }) => upstreamAddress,
  uri: ({ path }) => path,
};

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    if (error instanceof URIError) return path;
    throw error;
  }
}
