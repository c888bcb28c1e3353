/**
 * `agnhost netexec`: the server that Kubernetes' network tests ask for names, client addresses and errands.
 * HTTP on --http-port, UDP on --udp-port; SCTP and TLS are read as flags, TLS serves when certificate and key are given.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseGoDuration, parseGoFlags } from '../go-flags.ts';
import { goLogLine } from '../go-log.ts';
import { GO_TERMINATED, type HttpHandler, type Service, serviceProgram } from '../service.ts';
import { listenHttps } from '../tls-service.ts';
import { dial } from './netexec-dial.ts';
import { runShellCommand } from './netexec-shell.ts';

interface Errand {
  readonly service: Service;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

type Answer = (errand: Errand) => string | undefined | Promise<string | undefined>;

/** Path -> answer; the text returned is the body, nothing means that the response is dealt with. */
const ANSWERS: Readonly<Record<string, Answer>> = {
  '/': () => `NOW: ${new Date().toISOString()}`,
  '/clientip': ({ request }) => `${request.socket.remoteAddress}:${request.socket.remotePort}`,
  '/dial': ({ service, query, response }) => dial(service, query, response),
  '/echo': echo,
  '/exit': exit,
  '/header': ({ request, query }) => String(request.headers[(query.get('key') ?? '').toLowerCase()] ?? ''),
  '/healthz': () => '',
  '/hostname': ({ service }) => service.context.container.hostname,
  '/hostName': ({ service }) => service.context.container.hostname,
  '/redirect': redirect,
  '/shell': ({ service, query }) =>
    runShellCommand(service.context, query.get('shellCommand') ?? query.get('cmd') ?? ''),
  '/shutdown': ({ service }) => {
    service.finish(0);
    return '';
  },
};

export const netexec = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), {
    'http-port': 8080,
    'http-override': '',
    'udp-port': 8081,
    'udp-listen-addresses': '',
    'sctp-port': -1,
    'delay-shutdown': 0,
    'tls-cert-file': '',
    'tls-private-key-file': '',
  });
  terminateAfter(service, flags['delay-shutdown'] * 1000);
  for (const host of listenAddresses(flags['udp-listen-addresses'])) {
    await service.udp({ port: flags['udp-port'], host }, (data, from) =>
      udpAnswer(service, Buffer.from(data).toString(), `${from.address}:${from.port}`),
    );
  }
  log(service, `Started UDP server on port  ${flags['udp-port']}`);
  const handler = httpHandler(service, flags['http-override']);
  if (flags['tls-cert-file'] !== '' || flags['tls-private-key-file'] !== '') {
    const { files } = service.context.container;
    await listenHttps(service, { port: flags['http-port'] }, handler, {
      cert: files.readText(flags['tls-cert-file']),
      key: files.readText(flags['tls-private-key-file']),
    });
  } else await service.http({ port: flags['http-port'] }, handler);
  log(service, `Started HTTP server on port ${flags['http-port']}`);
});

function log(service: Service, text: string): void {
  service.log(goLogLine(text));
}

function listenAddresses(list: string): readonly (string | undefined)[] {
  const addresses = list.split(',').filter((address) => address !== '' && !address.includes(':'));
  return addresses.length === 0 ? [undefined] : addresses;
}

/** `--delay-shutdown`: goes on serving for a while after SIGTERM, as behind a load balancer that learns late. */
function terminateAfter(service: Service, delayMs: number): void {
  service.onSignals(['SIGTERM', 'SIGINT'], () => {
    if (delayMs <= 0) {
      service.finish(GO_TERMINATED);
      return;
    }
    log(service, `Sleeping ${delayMs / 1000} seconds before terminating...`);
    const timer = setTimeout(() => service.finish(0), delayMs);
    service.onClose(() => clearTimeout(timer));
  });
}

function httpHandler(service: Service, override: string): HttpHandler {
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://pod');
    const answer = ANSWERS[override === '' ? url.pathname : override];
    log(service, `${request.method} ${url.pathname}`);
    if (answer === undefined) {
      response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
      return;
    }
    response.setHeader('Content-Type', 'text/plain; charset=utf-8');
    const body = await answer({ service, request, response, query: url.searchParams });
    if (body !== undefined) response.end(body);
  };
}

function echo({ query, response }: Errand): string {
  const code = Number(query.get('code') ?? 200);
  if (!Number.isInteger(code) || code < 200 || code > 999) {
    response.statusCode = 400;
    return `argument 'code' must be an integer\n`;
  }
  response.statusCode = code;
  return query.get('msg') ?? '';
}

function redirect({ query, response }: Errand): undefined {
  const location = query.get('location') ?? '/';
  const code = Number(query.get('code') ?? 302);
  response.writeHead(code >= 300 && code < 400 ? code : 302, { Location: location }).end();
}

/** Answers first, ends then: `?code=` the exit code, `?wait=` before it stops, `?timeout=` for requests under way. */
function exit({ service, query, response }: Errand): undefined {
  const code = Number(query.get('code') ?? 0);
  const waitMs = parseGoDuration(query.get('wait') ?? '0') ?? 0;
  response.end();
  const timer = setTimeout(() => service.finish(Number.isInteger(code) ? code : 1), waitMs);
  service.onClose(() => clearTimeout(timer));
}

function udpAnswer(service: Service, message: string, client: string): string | undefined {
  const text = message.trim();
  log(service, `UDP ${text} from ${client}`);
  if (/^echo /i.test(text)) return text.slice(5);
  switch (text.toLowerCase()) {
    case 'hostname':
      return service.context.container.hostname;
    case 'clientip':
      return client;
    default:
      return undefined;
  }
}
