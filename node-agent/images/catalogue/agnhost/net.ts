/**
 * `agnhost net`: one-shot network tests, run at once (`--runner NAME --options JSON`) or on request
 * (`--serve :8889`, `GET /run/NAME` with the options as body).
 * `nat-closewait-server` reads until the client's FIN and leaves its own side open for a while; `nat-closewait-client`
 * connects, sends FIN and waits: together they keep a translated connection half closed.
 */
import { UsageError } from '../../coreutils/options.ts';
import { pause, readAll, write } from '../../program-io.ts';
import { parseGoFlags } from '../go-flags.ts';
import { goLogLine } from '../go-log.ts';
import { goNetworkError } from '../go-network-error.ts';
import { type Service, serviceProgram } from '../service.ts';

interface RunnerOptions {
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly postFinTimeoutMs: number;
  readonly timeoutMs: number;
  readonly leakConnection: boolean;
}

type Runner = (service: Service, options: RunnerOptions) => Promise<string>;

const RUNNERS: Readonly<Record<string, Runner>> = {
  nil: async () => 'nothing done',
  'nat-closewait-client': closeWaitClient,
  'nat-closewait-server': closeWaitServer,
};

export const net = serviceProgram(async (service) => {
  const { flags } = parseGoFlags(service.context.argv.slice(2), { serve: '', runner: 'nil', options: '{}' });
  if (flags.serve !== '') {
    await serveRunners(service, flags.serve);
    return;
  }
  try {
    service.log(goLogLine(await run(service, flags.runner, flags.options)));
    service.finish(0);
  } catch (error) {
    service.log(goLogLine(`error: ${goNetworkError(error, 'dial tcp', '')}`));
    service.finish(1);
  }
});

async function serveRunners(service: Service, address: string): Promise<void> {
  const { host, port } = splitAddress(address);
  await service.http({ host, port }, async (request, response) => {
    const [, name] = /^\/run\/([^/?]+)/.exec(request.url ?? '') ?? [];
    if (name === undefined) {
      response.writeHead(404).end('404 page not found\n');
      return;
    }
    const body = (await readAll(request)).toString();
    try {
      response.end(`${await run(service, name, body || '{}')}\n`);
    } catch (error) {
      response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
    }
  });
}

function run(service: Service, name: string, options: string): Promise<string> {
  const runner = RUNNERS[name];
  if (runner === undefined) throw new UsageError(`no runner ${name}; there are ${Object.keys(RUNNERS).join(', ')}`);
  return runner(service, decodeOptions(options));
}

function decodeOptions(text: string): RunnerOptions {
  const value: unknown = JSON.parse(text);
  const fields = new Map(Object.entries(typeof value === 'object' && value !== null ? value : {}));
  const seconds = (name: string): number => Number(fields.get(name) ?? 0) * 1000;
  return {
    localAddress: String(fields.get('LocalAddr') ?? '0.0.0.0:0'),
    remoteAddress: String(fields.get('RemoteAddr') ?? ''),
    postFinTimeoutMs: seconds('PostFinTimeoutSeconds') || seconds('PostFindTimeoutSeconds'),
    timeoutMs: seconds('TimeoutSeconds'),
    leakConnection: fields.get('LeakConnection') === true,
  };
}

function splitAddress(text: string): { host: string | undefined; port: number } {
  const [, host = '', port] = /^(.*):(\d+)$/.exec(text) ?? [];
  if (port === undefined) throw new UsageError(`"${text}" is not ADDRESS:PORT`);
  return { host: host === '' ? undefined : host, port: Number(port) };
}

async function closeWaitServer(service: Service, options: RunnerOptions): Promise<string> {
  const closed = Promise.withResolvers<string>();
  await service.tcp(splitAddress(options.localAddress), (socket) => {
    service.log(goLogLine(`connection from ${socket.remoteAddress}:${socket.remotePort}`));
    socket.resume();
    socket.once('end', async () => {
      await pause(options.postFinTimeoutMs, service.context.signal);
      socket.end();
      closed.resolve('connection closed');
    });
  });
  return closed.promise;
}

async function closeWaitClient(service: Service, options: RunnerOptions): Promise<string> {
  const { container, signal } = service.context;
  const { host = '127.0.0.1', port } = splitAddress(options.remoteAddress);
  const socket = await container.network.connectTcp({
    host: await container.resolver.lookupOne(host, signal),
    port,
    allowHalfOpen: true,
  });
  await write(socket, 'hello');
  socket.end();
  await pause(options.postFinTimeoutMs, signal);
  if (!options.leakConnection) socket.destroy();
  else service.onClose(() => void socket.destroy());
  await pause(options.leakConnection ? options.timeoutMs : 0, signal);
  return 'connection half closed';
}
