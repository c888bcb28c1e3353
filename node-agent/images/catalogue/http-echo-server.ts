/** The program of the http-echo image: `-text`, `-listen`, `-status-code`; `/health` for probes. */
import { parseGoFlags } from './go-flags.ts';
import { goLogLine } from './go-log.ts';
import { serviceProgram } from './service.ts';

const APP_HEADERS = { 'X-App-Name': 'http-echo', 'X-App-Version': '1.0.0' };
/** What the original exits with when it was started wrongly. */
const WRONG_USAGE = 127;

export const httpEcho = serviceProgram(async (service) => {
  const { argv, env } = service.context;
  const { flags } = parseGoFlags(argv.slice(1), { text: '', listen: ':5678', 'status-code': 200, version: false });
  const text = flags.text || (env.ECHO_TEXT ?? '');
  if (flags.version) {
    service.log('http-echo v1.0.0');
    service.finish(0);
    return;
  }
  if (text === '') {
    service.log('Missing -text option!');
    service.finish(WRONG_USAGE);
    return;
  }
  const [, host = '', port = '5678'] = /^(.*):(\d+)$/.exec(flags.listen) ?? [];
  await service.http({ host: host || undefined, port: Number(port) }, (request, response) => {
    const startedMs = performance.now();
    const isProbe = request.url === '/health';
    const body = isProbe ? '{"status":"ok"}\n' : `${text}\n`;
    const type = isProbe ? 'application/json' : 'text/plain; charset=utf-8';
    response.writeHead(isProbe ? 200 : flags['status-code'], { ...APP_HEADERS, 'Content-Type': type });
    response.end(body);
    const client = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    const line = `"${request.method} ${request.url} HTTP/${request.httpVersion}" ${response.statusCode} ${body.length}`;
    const tookUs = ((performance.now() - startedMs) * 1000).toFixed(3);
    const agent = request.headers['user-agent'] ?? '';
    service.print(goLogLine(`${request.headers.host ?? ''} ${client} ${line} "${agent}" ${tookUs}µs`));
  });
  service.print(goLogLine(`[INFO] server is listening on ${flags.listen}`));
  service.onSignals(['SIGTERM', 'SIGINT'], () => service.finish(0));
});
