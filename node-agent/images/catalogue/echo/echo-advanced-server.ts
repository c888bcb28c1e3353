/** The server of echo-advanced: `--port`, `--tls` with `--crt` and `--key`, `--tcp`, `--version`, `--cluster`. */
import type { IncomingMessage } from 'node:http';
import { pause } from '../../program-io.ts';
import { parseGoDuration } from '../go-flags.ts';
import { goHeaders, headerText } from '../http-headers.ts';
import { GO_TERMINATED, type HttpHandler, type Service, serviceProgram } from '../service.ts';
import { listenHttps } from '../tls-service.ts';

interface Arguments {
  readonly ports: readonly number[];
  readonly tlsPorts: ReadonlySet<number>;
  readonly tcpPorts: readonly number[];
  readonly values: ReadonlyMap<string, string>;
}

export const echoAdvanced = serviceProgram(async (service) => {
  const { ports, tlsPorts, tcpPorts, values } = parseArguments(service.context.argv.slice(1));
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  const { files, hostname } = service.context.container;
  for (const port of new Set([...ports, ...tlsPorts])) {
    const handler = echoHandler(service, port, values);
    if (tlsPorts.has(port)) {
      await listenHttps(service, { port }, handler, {
        cert: files.readText(values.get('crt') ?? '/cert.crt'),
        key: files.readText(values.get('key') ?? '/cert.key'),
      });
    } else await service.http({ port }, handler);
    service.log(`Listening HTTP on ${port}`);
  }
  for (const port of tcpPorts) {
    await service.tcp({ port }, (socket) => {
      socket.write(`StatusCode=200\nServicePort=${port}\nHostname=${hostname}\nIP=${socket.remoteAddress}\n`);
      socket.pipe(socket);
    });
    service.log(`Listening TCP on ${port}`);
  }
});

/** Every flag has a value here (`--port=80`, `--port 80`), and ports come more than once. */
function parseArguments(args: readonly string[]): Arguments {
  const ports: number[] = [];
  const tlsPorts = new Set<number>();
  const tcpPorts: number[] = [];
  const values = new Map<string, string>();
  const rest = [...args];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const [, name = '', , attached] = /^--?([\w-]+)(=(.*))?$/s.exec(word) ?? [];
    if (name === '') continue;
    const value = attached ?? (rest[0]?.startsWith('-') ? '' : (rest.shift() ?? ''));
    if (name === 'port') ports.push(Number(value));
    else if (name === 'tls') tlsPorts.add(Number(value));
    else if (name === 'tcp') tcpPorts.push(Number(value));
    else values.set(name, value);
  }
  return { ports, tlsPorts, tcpPorts, values };
}

function echoHandler(service: Service, port: number, values: ReadonlyMap<string, string>): HttpHandler {
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://echo');
    await pause(parseGoDuration(url.searchParams.get('delay') ?? '0') ?? 0, service.context.signal);
    for (const part of (url.searchParams.get('headers') ?? '').split(',')) {
      const [name = '', value = ''] = part.split(/:(.*)/s);
      if (name !== '') response.setHeader(name, value);
    }
    const status = Number(/^\d{3}/.exec(url.searchParams.get('codes') ?? '')?.[0] ?? 200);
    response.writeHead(status, { 'Content-Type': 'text/plain' });
    response.end(`${description(service, request, port, values).join('\n')}\n`);
  };
}

function description(
  service: Service,
  request: IncomingMessage,
  port: number,
  values: ReadonlyMap<string, string>,
): string[] {
  const headers = Object.entries(goHeaders(request.rawHeaders)).flatMap(([name, all]) =>
    all.map((value) => `RequestHeader=${name}:${value}`),
  );
  return [
    `ServiceVersion=${values.get('version') ?? ''}`,
    `ServicePort=${port}`,
    `Host=${headerText(request.headers, 'host') ?? ''}`,
    `URL=${request.url}`,
    `Cluster=${values.get('cluster') ?? ''}`,
    `IstioVersion=${values.get('istio-version') ?? ''}`,
    `Method=${request.method}`,
    `Proto=HTTP/${request.httpVersion}`,
    `IP=${request.socket.remoteAddress}`,
    ...headers,
    `Hostname=${service.context.container.hostname}`,
  ];
}
