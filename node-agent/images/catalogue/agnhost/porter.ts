/**
 * `agnhost porter`: serves what its environment says. `SERVE_PORT_80=text` and `SERVE_TCP_PORT_80` answer HTTP,
 * `SERVE_TLS_PORT_443` HTTPS (certificate and key from the files in CERT_FILE and KEY_FILE), `SERVE_UDP_PORT_53` datagrams.
 */
import { parseGoFlags } from '../go-flags.ts';
import { goLogLine } from '../go-log.ts';
import { GO_TERMINATED, type HttpHandler, type Service, serviceProgram } from '../service.ts';
import { listenHttps } from '../tls-service.ts';

export const porter = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), { 'json-response': false });
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(GO_TERMINATED));
  for (const [name, value] of Object.entries(service.context.env)) {
    const [, kind, digits] = /^SERVE_(?:(TCP|UDP|TLS|SCTP)_)?PORT_(\d+)$/.exec(name) ?? [];
    if (digits === undefined) continue;
    await serve(service, kind ?? 'TCP', Number(digits), value, flags['json-response']);
  }
});

async function serve(service: Service, kind: string, port: number, value: string, json: boolean): Promise<void> {
  const handler: HttpHandler = (request, response) => {
    const body = json ? JSON.stringify({ Method: request.method, Body: value }) : value;
    response.writeHead(200, { 'Content-Type': json ? 'application/json' : 'text/plain; charset=utf-8' }).end(body);
  };
  switch (kind) {
    case 'UDP':
      await service.udp({ port }, () => value);
      return;
    case 'TLS':
      await listenHttps(service, { port }, handler, certificate(service));
      return;
    case 'SCTP':
      service.log(goLogLine(`port ${port}: SCTP is not served here`));
      return;
    default:
      await service.http({ port }, handler);
  }
}

function certificate(service: Service): { cert: string; key: string } {
  const { container, env } = service.context;
  return {
    cert: container.files.readText(env.CERT_FILE ?? '/localhost.crt'),
    key: container.files.readText(env.KEY_FILE ?? '/localhost.key'),
  };
}
