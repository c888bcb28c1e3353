/** The program of httpbin: a table of paths. Answers are JSON with the original's fields, indented by two. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseOptions } from '../../coreutils/options.ts';
import { pause, readAll } from '../../program-io.ts';
import { goHeaders } from '../http-headers.ts';
import { type Service, serviceProgram } from '../service.ts';

const MAX_BYTES = 100 * 1024;
const MAX_DELAY_S = 10;

interface Call {
  readonly service: Service;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** What the path's pattern has in brackets. */
  readonly words: readonly string[];
}

type Answer = (call: Call) => void | Promise<void>;

const ROUTES: readonly (readonly [pattern: RegExp, methods: readonly string[] | 'any', answer: Answer])[] = [
  [/^\/$/, ['GET'], ({ response }) => sendHtml(response, 200, '<title>httpbin.org</title><h1>httpbin.org</h1>')],
  [/^\/(?:get)$/, ['GET'], (call) => sendJson(call, described(call))],
  [/^\/(?:post)$/, ['POST'], sendWithBody],
  [/^\/(?:put)$/, ['PUT'], sendWithBody],
  [/^\/(?:patch)$/, ['PATCH'], sendWithBody],
  [/^\/(?:delete)$/, ['DELETE'], sendWithBody],
  [/^\/anything(?:\/.*)?$/, 'any', sendWithBody],
  [/^\/ip$/, ['GET'], (call) => sendJson(call, { origin: call.request.socket.remoteAddress })],
  [/^\/headers$/, ['GET'], (call) => sendJson(call, { headers: headersOf(call.request) })],
  [/^\/user-agent$/, ['GET'], (call) => sendJson(call, { 'user-agent': call.request.headers['user-agent'] ?? null })],
  [/^\/uuid$/, ['GET'], (call) => sendJson(call, { uuid: randomUUID() })],
  [/^\/status\/(\d{3})$/, 'any', ({ response, words }) => void response.writeHead(Number(words[0])).end()],
  [/^\/delay\/(\d+)$/, 'any', delayed],
  [/^\/(?:redirect|relative-redirect|absolute-redirect)\/(\d+)$/, ['GET'], redirected],
  [/^\/redirect-to$/, 'any', redirectedTo],
  [/^\/response-headers$/, ['GET', 'POST'], withResponseHeaders],
  [/^\/bytes\/(\d+)$/, ['GET'], ({ response, words }) => sendBytes(response, Number(words[0]))],
  [/^\/basic-auth\/([^/]+)\/([^/]+)$/, ['GET'], basicAuthentication],
  [/^\/bearer$/, ['GET'], bearer],
  [/^\/cookies$/, ['GET'], (call) => sendJson(call, { cookies: cookiesOf(call.request) })],
  [/^\/cookies\/set$/, ['GET'], setCookies],
  [
    /^\/robots\.txt$/,
    ['GET'],
    ({ response }) => void response.setHeader('Content-Type', 'text/plain').end('User-agent: *\nDisallow: /deny\n'),
  ],
];

export const httpbin = serviceProgram(async (service) => {
  const options = parseOptions(service.context.argv.slice(1), { values: 'bkw', long: { 'bind=': 'b' } });
  const address = options.value('b') ?? '0.0.0.0:80';
  const port = Number(address.split(':').at(-1));
  service.onSignals(['SIGTERM', 'SIGINT', 'SIGQUIT'], () => service.finish(0));
  await service.http({ port }, async (request, response) => {
    response.setHeader('Server', 'gunicorn/19.9.0');
    response.setHeader('Access-Control-Allow-Origin', '*');
    await route(service, request, response);
  });
  service.log(`[INFO] Listening at: http://${address} (1)`);
});

async function route(service: Service, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', `http://${request.headers.host ?? 'httpbin'}`);
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  let knowsPath = false;
  for (const [pattern, methods, answer] of ROUTES) {
    const match = pattern.exec(url.pathname);
    if (match === null) continue;
    knowsPath = true;
    if (methods !== 'any' && !methods.includes(method)) continue;
    await answer({ service, request, response, url, words: match.slice(1) });
    return;
  }
  if (knowsPath) sendHtml(response, 405, '<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>');
  else sendHtml(response, 404, '<title>404 Not Found</title>\n<h1>Not Found</h1>');
}

function sendJson({ response }: Call, body: object, status = 200): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body, undefined, 2)}\n`);
}

function sendHtml(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/html; charset=utf-8' }).end(`${text}\n`);
}

function sendBytes(response: ServerResponse, count: number): void {
  response.setHeader('Content-Type', 'application/octet-stream').end(randomBytes(Math.min(count, MAX_BYTES)));
}

function headersOf(request: IncomingMessage): Readonly<Record<string, string>> {
  const others = Object.entries(goHeaders(request.rawHeaders)).map(([name, values]) => [name, values.join(',')]);
  return Object.fromEntries(
    [...others, ['Host', request.headers.host ?? '']].sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  );
}

function described({ request, url }: Call): object {
  return {
    args: Object.fromEntries(url.searchParams),
    headers: headersOf(request),
    origin: request.socket.remoteAddress,
    url: url.href,
  };
}

async function sendWithBody(call: Call): Promise<void> {
  const { request } = call;
  const data = (await readAll(request)).toString();
  const isForm = (request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');
  sendJson(call, {
    ...described(call),
    data: isForm ? '' : data,
    files: {},
    form: isForm ? Object.fromEntries(new URLSearchParams(data)) : {},
    json: jsonOf(data),
    method: request.method,
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

async function delayed(call: Call): Promise<void> {
  const seconds = Math.min(Number(call.words[0]), MAX_DELAY_S);
  await pause(seconds * 1000, call.service.context.signal);
  sendJson(call, described(call));
}

function redirected({ response, url, words }: Call): void {
  const left = Number(words[0]) - 1;
  const kind = url.pathname.startsWith('/absolute') ? 'absolute-redirect' : 'relative-redirect';
  const path = left > 0 ? `/${kind}/${left}` : '/get';
  response.writeHead(302, { Location: kind === 'absolute-redirect' ? `${url.origin}${path}` : path }).end();
}

function redirectedTo({ response, url }: Call): void {
  const status = Number(url.searchParams.get('status_code') ?? 302);
  response
    .writeHead(status >= 300 && status < 400 ? status : 302, { Location: url.searchParams.get('url') ?? '/' })
    .end();
}

function withResponseHeaders(call: Call): void {
  for (const [name, value] of call.url.searchParams) call.response.setHeader(name, value);
  sendJson(call, Object.fromEntries(call.url.searchParams));
}

function basicAuthentication(call: Call): void {
  const [user = '', password = ''] = call.words;
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  if (call.request.headers.authorization === expected) sendJson(call, { authenticated: true, user });
  else call.response.writeHead(401, { 'Www-Authenticate': 'Basic realm="Fake Realm"' }).end();
}

function bearer(call: Call): void {
  const [, token] = /^Bearer (.+)$/.exec(call.request.headers.authorization ?? '') ?? [];
  if (token !== undefined) sendJson(call, { authenticated: true, token });
  else call.response.writeHead(401, { 'Www-Authenticate': 'Bearer' }).end();
}

function cookiesOf(request: IncomingMessage): Readonly<Record<string, string>> {
  const pairs = (request.headers.cookie ?? '').split(/;\s*/).filter((pair) => pair !== '');
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2)));
}

function setCookies({ response, url }: Call): void {
  const cookies = [...url.searchParams].map(([name, value]) => `${name}=${value}; Path=/`);
  response.writeHead(302, { 'Set-Cookie': cookies, Location: '/cookies' }).end();
}
