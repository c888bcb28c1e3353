/**
 * What nginx does with a request, in the order of its phases: server, location, `return`, `try_files`, then the content:
 * `proxy_pass` or a file. Errors go through `error_page`.
 */
import { resolvePath } from '../../files/container-files.ts';
import type { ContainerView } from '../../image.ts';
import { readStatic, type StaticFile } from '../static-files.ts';
import { sendStatic } from '../static-response.ts';
import type { Exchange } from './exchange.ts';
import { listingPage, NGINX_VERSION, statusPage } from './page.ts';
import { proxyPass } from './proxy.ts';
import type { Scope } from './scope.ts';
import { chooseLocation, type Location, type Site } from './virtual-server.ts';

const MAX_INTERNAL_REDIRECTS = 10;
const DEFAULT_ROOT = '/etc/nginx/html';

export interface Nginx {
  readonly site: Site;
  readonly container: ContainerView;
  readonly signal: AbortSignal;
  /** A line for the error log. */
  readonly logError: (message: string, exchange: Exchange) => void;
}

export async function handle(nginx: Nginx, exchange: Exchange): Promise<void> {
  exchange.response.setHeader('Server', NGINX_VERSION);
  await serve(nginx, exchange, 0);
}

async function serve(nginx: Nginx, exchange: Exchange, redirects: number, named?: Location): Promise<void> {
  const location = named ?? chooseLocation(exchange.server, exchange.path);
  const scope = location?.scope ?? exchange.server.scope;
  exchange.captures = location?.expression?.exec(exchange.path) ?? null;
  if (redirects > MAX_INTERNAL_REDIRECTS) {
    fail(nginx, exchange, scope, 500, redirects);
    return;
  }
  const returned =
    scope.own('return')[0] ?? (location === undefined ? undefined : exchange.server.scope.own('return')[0]);
  if (returned !== undefined) {
    sendReturn(exchange, scope, returned.args);
    return;
  }
  const tried = scope.args('try_files');
  if (tried !== undefined && tryFiles(nginx, exchange, location, scope, tried, redirects)) return;
  const target = scope.own('proxy_pass')[0]?.args[0];
  if (target !== undefined) {
    await sendProxied(nginx, exchange, location, scope, target, redirects);
    return;
  }
  sendFile(nginx, exchange, location, scope, redirects);
}

/** `add_header` holds for successes and redirects only, unless it says `always`. */
function addHeaders(exchange: Exchange, scope: Scope, status: number): void {
  const isGood = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308].includes(status);
  for (const { args } of scope.all('add_header')) {
    const [name = '', value = '', always] = args;
    if (isGood || always === 'always') exchange.response.setHeader(name, exchange.expand(value));
  }
}

function sendReturn(exchange: Exchange, scope: Scope, args: readonly string[]): void {
  const [first = '', second] = args;
  const status = /^\d+$/.test(first) ? Number(first) : 302;
  const text = status === Number(first) ? second : first;
  const { response } = exchange;
  addHeaders(exchange, scope, status);
  if (text !== undefined && [301, 302, 303, 307, 308].includes(status)) {
    response.setHeader('Location', absolute(exchange, exchange.expand(text)));
    sendText(exchange, status, 'text/html', statusPage(status));
  } else if (text === undefined && status >= 300) sendText(exchange, status, 'text/html', statusPage(status));
  else sendText(exchange, status, scope.value('default_type') ?? 'text/plain', exchange.expand(text ?? ''));
}

function sendText({ request, response }: Exchange, status: number, type: string, text: string): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(text) });
  response.end(request.method === 'HEAD' ? undefined : text);
}

/** nginx makes locations absolute with the name and port of the request. */
function absolute(exchange: Exchange, location: string): string {
  if (!location.startsWith('/')) return location;
  return `${exchange.scheme}://${exchange.header('host') ?? exchange.expand('$host')}${location}`;
}

/** The status page, or what `error_page` has for the status: a URI, a named location, another status. */
function fail(nginx: Nginx, exchange: Exchange, scope: Scope, status: number, redirects: number): void {
  const page = scope.all('error_page').find(({ args }) => args.includes(String(status)));
  const uri = page?.args.at(-1);
  if (uri === undefined || redirects > 0) {
    addHeaders(exchange, scope, status);
    sendText(exchange, status, 'text/html', statusPage(status));
    return;
  }
  const change = page?.args.find((word) => word.startsWith('='))?.slice(1);
  const shown = change === undefined || change === '' ? status : Number(change);
  const location = chooseLocation(exchange.server, uri);
  const found = readStatic(nginx.container.files, rootOf(exchange, location?.scope ?? scope), uri);
  if (found.kind === 'file') sendText(exchange, shown, found.type, Buffer.from(found.bytes).toString());
  else sendText(exchange, shown, 'text/html', statusPage(status));
}

function rootOf(exchange: Exchange, scope: Scope): string {
  return exchange.expand(scope.value('root') ?? DEFAULT_ROOT);
}

/** The file system's path of a URI in a location: `alias` replaces the location's own path, `root` comes before it. */
function filePath(exchange: Exchange, location: Location | undefined, scope: Scope, uri: string): string {
  const alias = scope.own('alias')[0]?.args[0];
  const clean = resolvePath('/', uri) + (uri.endsWith('/') && uri !== '/' ? '/' : '');
  if (alias !== undefined && location !== undefined) {
    if (location.kind === 'regex') return exchange.expand(alias);
    return `${exchange.expand(alias)}${clean.slice(location.path.length)}`;
  }
  return `${rootOf(exchange, scope)}${clean}`;
}

/** True when the request is dealt with; false lets the content phase go on with the (possibly rewritten) path. */
function tryFiles(
  nginx: Nginx,
  exchange: Exchange,
  location: Location | undefined,
  scope: Scope,
  candidates: readonly string[],
  redirects: number,
): boolean {
  const { files } = nginx.container;
  for (const candidate of candidates.slice(0, -1)) {
    const uri = exchange.expand(candidate);
    const path = filePath(exchange, location, scope, uri);
    if (!files.exists(path)) continue;
    if (uri.endsWith('/') !== (files.stat(path).kind === 'directory')) continue;
    exchange.path = uri;
    return false;
  }
  const last = candidates.at(-1) ?? '';
  if (/^=\d+$/.test(last)) fail(nginx, exchange, scope, Number(last.slice(1)), redirects);
  else {
    const named = exchange.server.locations.find(({ kind, path }) => kind === 'named' && path === last);
    if (named === undefined) exchange.path = exchange.expand(last).split('?', 1)[0] ?? '/';
    void serve(nginx, exchange, redirects + 1, named);
  }
  return true;
}

async function sendProxied(
  nginx: Nginx,
  exchange: Exchange,
  location: Location | undefined,
  scope: Scope,
  target: string,
  redirects: number,
): Promise<void> {
  const failure = await proxyPass(nginx, exchange, location, scope, target);
  if (failure === undefined) return;
  nginx.logError(failure.message, exchange);
  fail(nginx, exchange, scope, failure.status, redirects);
}

function sendFile(
  nginx: Nginx,
  exchange: Exchange,
  location: Location | undefined,
  scope: Scope,
  redirects: number,
): void {
  const { method } = exchange.request;
  const path = filePath(exchange, location, scope, exchange.path);
  const found = readStatic(nginx.container.files, '/', encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23'));
  if (found.kind === 'absent' || (found.kind === 'file' && path.endsWith('/'))) {
    nginx.logError(`open() "${path}" failed (2: No such file or directory)`, exchange);
    fail(nginx, exchange, scope, 404, redirects);
  } else if (method !== 'GET' && method !== 'HEAD') fail(nginx, exchange, scope, 405, redirects);
  else if (found.kind === 'file') sendFound(exchange, scope, found);
  else sendDirectory(nginx, exchange, scope, path, found.names, redirects);
}

function sendFound(exchange: Exchange, scope: Scope, file: StaticFile): void {
  const { request, response } = exchange;
  const isUnknown = file.type === 'application/octet-stream';
  addHeaders(exchange, scope, 200);
  sendStatic(request, response, file, isUnknown ? (scope.value('default_type') ?? 'text/plain') : file.type);
}

function sendDirectory(
  nginx: Nginx,
  exchange: Exchange,
  scope: Scope,
  path: string,
  names: readonly string[],
  redirects: number,
): void {
  if (!exchange.path.endsWith('/')) {
    exchange.response.setHeader('Location', absolute(exchange, `${encodeURI(exchange.path)}/`));
    sendText(exchange, 301, 'text/html', statusPage(301));
    return;
  }
  const index = (scope.args('index') ?? ['index.html']).find((name) => names.includes(name));
  if (index !== undefined) {
    exchange.path = `${exchange.path}${index}`;
    void serve(nginx, exchange, redirects + 1);
  } else if (scope.isOn('autoindex')) {
    const { files } = nginx.container;
    const marked = names.map((name) => (files.stat(`${path}${name}`).kind === 'directory' ? `${name}/` : name));
    sendText(exchange, 200, 'text/html', listingPage(exchange.path, marked));
  } else {
    nginx.logError(`directory index of "${path}" is forbidden`, exchange);
    fail(nginx, exchange, scope, 403, redirects);
  }
}
