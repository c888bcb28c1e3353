/** `agnhost connect HOST:PORT`: can one connect? Nothing and 0, or one word on standard error and 1. */
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { UsageError } from '../../coreutils/options.ts';
import type { Program, ProgramContext } from '../../image.ts';
import { write } from '../../program-io.ts';
import { withDeadline } from '../deadline.ts';
import { parseGoDuration, parseGoFlags } from '../go-flags.ts';
import { NetworkTimeoutError } from '../go-network-error.ts';

interface Target {
  readonly host: string;
  readonly port: number;
  readonly protocol: string;
  readonly timeoutMs: number;
}

export const connect: Program = async (context) => {
  try {
    const target = parseTarget(context.argv.slice(2));
    await withDeadline(target.timeoutMs, context.signal, (signal) => reach(context, target, signal));
    return 0;
  } catch (error) {
    await write(context.stderr, `${verdict(error)}\n`);
    return 1;
  }
};

function parseTarget(args: readonly string[]): Target {
  const { flags, operands } = parseGoFlags(args, { timeout: '0', protocol: 'tcp' });
  const [, host, port] = /^\[?(.+?)\]?:(\d+)$/.exec(operands[0] ?? '') ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw new UsageError(`"${operands[0] ?? ''}" is not HOST:PORT`);
  }
  const timeoutMs = parseGoDuration(flags.timeout);
  if (timeoutMs === undefined) throw new UsageError(`invalid duration "${flags.timeout}" for --timeout`);
  return { host, port: Number(port), protocol: flags.protocol.toLowerCase(), timeoutMs };
}

async function reach(context: ProgramContext, target: Target, signal: AbortSignal): Promise<void> {
  const { network, resolver } = context.container;
  switch (target.protocol) {
    case 'tcp': {
      const host = await resolver.lookupOne(target.host, signal);
      (await network.connectTcp({ host, port: target.port }, signal)).destroy();
      return;
    }
    case 'udp': {
      const address = await resolver.lookupOne(target.host, signal);
      return askHostname(context, { address, port: target.port }, signal);
    }
    case 'sctp':
      throw new UsageError('protocol not supported: sctp');
    default:
      throw new UsageError(`unsupported protocol "${target.protocol}", want tcp, udp or sctp`);
  }
}

/** UDP knows no connection: an answer to `hostname` is the proof. */
async function askHostname(
  { container }: ProgramContext,
  remote: { readonly address: string; readonly port: number },
  signal: AbortSignal,
): Promise<void> {
  const socket = await container.network.bindUdp({ remote });
  try {
    const answered = new Promise<void>((resolve, reject) => {
      socket.once('message', () => resolve());
      socket.once('error', reject);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await socket.send(Buffer.from('hostname\n'), remote.port, remote.address);
    await answered;
  } finally {
    socket.close();
  }
}

function verdict(error: unknown): string {
  if (error instanceof NetworkTimeoutError) return 'TIMEOUT';
  if (error instanceof ResolveError) return `DNS: ${error.message}`;
  const code = socketErrorCode(error);
  if (code === 'ETIMEDOUT') return 'TIMEOUT';
  if (code === 'ECONNREFUSED') return 'REFUSED';
  if (code !== undefined) return `OTHER: ${socketErrorText(code).toLowerCase()}`;
  return `OTHER: ${error instanceof Error ? error.message : String(error)}`;
}
