/** nc: connects or listens over TCP and UDP; busybox' and OpenBSD's options, messages and exit codes. */
import { once } from 'node:events';
import type { PodTcpSocket, PodUdpSocket, SocketAddress } from '../../../../shared/podnet/pod-network.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import { runCommandLine } from '../../coreutils/run-command.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { OpenFile } from '../../open-file.ts';
import { nextChunk, write } from '../../program-io.ts';
import { endpointText } from '../endpoint-text.ts';
import { familyAsked } from '../ping/target.ts';

interface NetcatRun {
  readonly run: Invocation;
  readonly options: ParsedOptions;
  readonly verbose: boolean;
  /** Idle and connect limit (`-w`); undefined waits for ever. */
  readonly timeoutMs: number | undefined;
}

export const nc: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'ulvznktNhdDrUC46', values: 'pwsqieIOTXx' });
  const timeout = options.value('w');
  const netcat: NetcatRun = {
    run,
    options,
    verbose: options.has('v'),
    timeoutMs: timeout === undefined ? undefined : Number(timeout) * 1000,
  };
  if (options.has('l')) return options.has('u') ? listenUdp(netcat) : listenTcp(netcat);
  const [host, ports] = options.operands;
  if (host === undefined || ports === undefined) throw new UsageError('missing host or port');
  let code = 1;
  for (const port of portList(ports)) {
    const result = options.has('u') ? await connectUdp(netcat, host, port) : await connectTcp(netcat, host, port);
    if (result === 0) code = 0;
  }
  return code;
};

function portList(text: string): number[] {
  const services: Readonly<Record<string, number>> = { http: 80, https: 443, domain: 53, ssh: 22 };
  const match = /^(\d+)-(\d+)$/.exec(text);
  if (match !== null)
    return Array.from({ length: Number(match[2]) - Number(match[1]) + 1 }, (_, index) => Number(match[1]) + index);
  const port = services[text] ?? Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageError(`port range not valid: ${text}`);
  return [port];
}

async function resolve({ run, options }: NetcatRun, host: string): Promise<string | undefined> {
  try {
    return await run.context.container.resolver.lookupOne(host, run.context.signal, familyAsked(run, options));
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error;
    await run.complain(
      run.context.container.files.exists('/etc/debian_version')
        ? `getaddrinfo for host "${host}" port: Name or service not known`
        : `bad address '${host}'`,
    );
    return undefined;
  }
}

async function connectTcp(netcat: NetcatRun, host: string, port: number): Promise<number> {
  const { run, options, timeoutMs } = netcat;
  const address = await resolve(netcat, host);
  if (address === undefined) return 1;
  const signal =
    timeoutMs === undefined
      ? run.context.signal
      : AbortSignal.any([run.context.signal, AbortSignal.timeout(timeoutMs)]);
  let socket: PodTcpSocket;
  try {
    const localPort = options.number('p');
    socket = await run.context.container.network.connectTcp(
      { host: address, port, localPort, localAddress: options.value('s'), allowHalfOpen: true },
      signal,
    );
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    const sentence = signal.aborted || code === 'ETIMEDOUT' ? 'Connection timed out' : socketErrorText(code);
    if (netcat.verbose || !options.has('z'))
      await write(run.context.stderr, `nc: ${host} (${endpointText(address, port)}): ${sentence}\n`);
    return 1;
  }
  if (netcat.verbose) await write(run.context.stderr, `${host} (${endpointText(address, port)}) open\n`);
  if (options.has('z')) {
    socket.destroy();
    return 0;
  }
  await talk(netcat, socket);
  return 0;
}

async function listenTcp(netcat: NetcatRun): Promise<number> {
  const { run, options } = netcat;
  const [first, second] = options.operands;
  const port = options.number('p') ?? Number(second ?? first ?? 0);
  const host = options.value('s') ?? (second === undefined ? undefined : first);
  let server: Awaited<ReturnType<typeof run.context.container.network.listenTcp>>;
  try {
    server = await run.context.container.network.listenTcp({ port, host, allowHalfOpen: true });
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    await run.complain(`bind: ${socketErrorText(code)}`);
    return 1;
  }
  if (netcat.verbose) await write(run.context.stderr, `listening on [::]:${server.address().port} ...\n`);
  const stopped = once(run.context.signal, 'abort');
  do {
    const accepted = await Promise.race([once(server, 'connection'), stopped.then(() => undefined)]);
    if (accepted === undefined) break;
    const socket: PodTcpSocket = accepted[0];
    if (netcat.verbose)
      await write(
        run.context.stderr,
        `connect to [${socket.localAddress}]:${socket.localPort} from [${socket.remoteAddress}]:${socket.remotePort}\n`,
      );
    await talk(netcat, socket);
  } while (options.has('k') && !run.context.signal.aborted);
  await server.close();
  return 0;
}

/** Standard input to the peer, the peer to standard output; ends when the peer does (or, with -N or -q, after our input). */
async function talk(netcat: NetcatRun, socket: PodTcpSocket): Promise<void> {
  const { run, options, timeoutMs } = netcat;
  const { context } = run;
  const command = options.value('e');
  if (command !== undefined) {
    await serveCommand(netcat, socket, [command, ...options.operands.slice(2)]);
    return;
  }
  const over = new AbortController();
  const signal = AbortSignal.any([context.signal, over.signal]);
  if (timeoutMs !== undefined) socket.setTimeout(timeoutMs, () => over.abort());
  const forward = async (): Promise<void> => {
    for (
      let chunk = await nextChunk(context.stdin, signal);
      chunk !== undefined;
      chunk = await nextChunk(context.stdin, signal)
    )
      await write(socket, chunk);
    if (signal.aborted) return;
    socket.end();
    const quitAfter = options.number('q');
    if (quitAfter !== undefined && quitAfter >= 0) setTimeout(() => over.abort(), quitAfter * 1000).unref();
  };
  const sending = options.has('d') ? Promise.resolve() : forward();
  for (let chunk = await nextChunk(socket, signal); chunk !== undefined; chunk = await nextChunk(socket, signal))
    await run.print(chunk);
  over.abort();
  await sending;
  socket.destroy();
}

/** `nc -l -p 80 -e cat`: the connection is the command's standard input and output. */
async function serveCommand({ run }: NetcatRun, socket: PodTcpSocket, words: readonly string[]): Promise<void> {
  const connection = new OpenFile({ reader: () => socket, writer: () => socket });
  const { standardFiles } = run.context;
  await runCommandLine(run, words, { stdin: connection, stdout: connection, stderr: standardFiles.stderr });
  socket.end();
}

async function connectUdp(netcat: NetcatRun, host: string, port: number): Promise<number> {
  const { run, options, timeoutMs } = netcat;
  const address = await resolve(netcat, host);
  if (address === undefined) return 1;
  const { network } = run.context.container;
  const socket = await network.bindUdp({
    port: options.number('p'),
    address: options.value('s'),
    remote: { address, port },
  });
  const over = new AbortController();
  const signal = AbortSignal.any([run.context.signal, over.signal]);
  let refused = false;
  socket.on('error', () => {
    refused = true;
    over.abort();
  });
  try {
    if (options.has('z')) return await probeUdp(netcat, socket, { address, port }, host, () => refused, signal);
    if (netcat.verbose) await write(run.context.stderr, `${host} (${endpointText(address, port)}) open\n`);
    return await talkUdp(netcat, socket, { address, port }, signal, () => over.abort(), timeoutMs);
  } finally {
    socket.close();
  }
}

/** `nc -vuz`: open unless the peer's ICMP says otherwise. */
async function probeUdp(
  netcat: NetcatRun,
  socket: PodUdpSocket,
  to: SocketAddress,
  host: string,
  refused: () => boolean,
  signal: AbortSignal,
): Promise<number> {
  await socket.send(Buffer.from('X'), to.port, to.address);
  await Promise.race([
    once(signal, 'abort'),
    new Promise((resolve) => setTimeout(resolve, Math.min(netcat.timeoutMs ?? 1000, 1000))),
  ]);
  if (refused()) return 1;
  if (netcat.verbose) await write(netcat.run.context.stderr, `${host} (${endpointText(to.address, to.port)}) open\n`);
  return 0;
}

async function talkUdp(
  netcat: NetcatRun,
  socket: PodUdpSocket,
  to: SocketAddress,
  signal: AbortSignal,
  stop: () => void,
  timeoutMs: number | undefined,
): Promise<number> {
  const { context } = netcat.run;
  let timer: NodeJS.Timeout | undefined;
  const idle = (): void => {
    clearTimeout(timer);
    if (timeoutMs !== undefined) timer = setTimeout(stop, timeoutMs);
  };
  socket.on('message', (data: Uint8Array) => {
    idle();
    context.stdout.write(Buffer.from(data));
  });
  for (
    let chunk = await nextChunk(context.stdin, signal);
    chunk !== undefined;
    chunk = await nextChunk(context.stdin, signal)
  ) {
    await socket.send(chunk, to.port, to.address);
  }
  idle();
  if (!signal.aborted) await once(signal, 'abort');
  clearTimeout(timer);
  return 0;
}

async function listenUdp(netcat: NetcatRun): Promise<number> {
  const { run, options } = netcat;
  const port = options.number('p') ?? Number(options.operands.at(-1) ?? 0);
  const socket = await run.context.container.network.bindUdp({ port });
  let peer: SocketAddress | undefined;
  let timer: NodeJS.Timeout | undefined;
  const over = new AbortController();
  const signal = AbortSignal.any([run.context.signal, over.signal]);
  const idle = (): void => {
    clearTimeout(timer);
    if (netcat.timeoutMs !== undefined) timer = setTimeout(() => over.abort(), netcat.timeoutMs);
  };
  socket.on('message', (data: Uint8Array, from: SocketAddress) => {
    idle();
    peer ??= from;
    run.context.stdout.write(Buffer.from(data));
  });
  for (
    let chunk = await nextChunk(run.context.stdin, signal);
    chunk !== undefined;
    chunk = await nextChunk(run.context.stdin, signal)
  ) {
    if (peer !== undefined) await socket.send(chunk, peer.port, peer.address);
  }
  if (!signal.aborted) await once(signal, 'abort');
  clearTimeout(timer);
  socket.close();
  return 0;
}
