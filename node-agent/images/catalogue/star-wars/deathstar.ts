/** The Death Star: ships land (`POST /v1/request-landing`), and its maintenance API has a weakness (`PUT /v1/exhaust-port`). */
import { parseGoFlags } from '../go-flags.ts';
import { goLogLine } from '../go-log.ts';
import { GO_TERMINATED, serviceProgram } from '../service.ts';

/** Between the answer of `exhaust-port` and the end of the process. */
const FUSE_MS = 2000;
/** What a Go program exits with that panics. */
const GO_PANIC = 2;
const BACKTRACE = [
  'Panic: deathstar exploded',
  '',
  'goroutine 1 [running]:',
  'main.HandleGarbage(0x2080c3f50, 0x2, 0x4, 0x425c0, 0x5, 0xa)',
  '        /code/src/github.com/empire/deathstar/',
  '        temp/main.go:9 +0x64',
  'main.main()',
  '        /code/src/github.com/empire/deathstar/',
  '        temp/main.go:5 +0x85',
  '',
].join('\n');
const API = [
  'GET   /v1',
  'GET   /v1/healthz',
  'POST  /v1/request-landing',
  'PUT   /v1/cargobay',
  'GET   /v1/hyper-matter-reactor/status',
  'PUT   /v1/exhaust-port',
];
/** What is served, by its path, and with which method. */
const METHODS: Readonly<Record<string, string>> = {
  '/v1': 'GET',
  '/v1/': 'GET',
  '/v1/request-landing': 'POST',
  '/v1/exhaust-port': 'PUT',
};

export const deathstar = serviceProgram(async (service) => {
  const { argv, container, signal } = service.context;
  const { flags } = parseGoFlags(argv.slice(1), { port: 80, host: '0.0.0.0' });
  await service.http({ host: flags.host, port: flags.port }, (request, response) => {
    const path = (request.url ?? '').replace(/\?.*/s, '');
    const send = (status: number, text: string, type = 'text/plain') =>
      response.writeHead(status, { 'Content-Type': type }).end(text);
    const refuse = (status: number, message: string) =>
      send(status, JSON.stringify({ code: status, message }), 'application/json');
    const method = METHODS[path];
    if (method === undefined) return void refuse(404, `path ${path} was not found`);
    if (method !== request.method)
      return void refuse(405, `method ${request.method} is not allowed, but [${method}] are`);
    if (method === 'GET') return void send(200, infoOf(container.hostname));
    if (method === 'POST') return void send(200, 'Ship landed\n');
    send(503, BACKTRACE);
    const fuse = setTimeout(() => {
      service.log('panic: deathstar exploded');
      service.finish(GO_PANIC);
    }, FUSE_MS);
    signal.addEventListener('abort', () => clearTimeout(fuse), { once: true });
  });
  service.log(goLogLine(`Serving deathstar at http://[::]:${flags.port}`));
  service.onSignals(['SIGTERM'], () => service.finish(GO_TERMINATED));
});

function infoOf(hostname: string): string {
  const info = {
    name: 'Death Star',
    hostname,
    model: 'DS-1 Orbital Battle Station',
    manufacturer: 'Imperial Department of Military Research, Sienar Fleet Systems',
    cost_in_credits: '1000000000000',
    length: '120000',
    crew: '342953',
    passengers: '843342',
    cargo_capacity: '1000000000000',
    hyperdrive_rating: '4.0',
    starship_class: 'Deep Space Mobile Battlestation',
    api: API,
  };
  return `${JSON.stringify(info, null, '\t')}\n`;
}
