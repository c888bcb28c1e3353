/**
 * Runs a benchmark that has two ends, a process each: they are introduced to each other, one starts, one says the result. They
 * run as a node-agent does that was busy for a while.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { basename } from 'node:path';
import { busyNodeOptions } from '../shared/runtime/entry-point.ts';
import type { EndMessage, EndResult, Introduction } from './datapath-message.ts';

const LIMIT_MS = 30_000;

export type Role = 'server' | 'client';

export interface TwoEnds {
  /** Program file and arguments. */
  readonly commandOf: (role: Role) => readonly string[];
  /** The processor an end is pinned to. */
  readonly coreOf: (role: Role) => number | undefined;
  readonly resultFrom: Role;
  /** Both ends say how busy they were. */
  readonly measuresBusy?: boolean;
}

export interface TwoEndsResult extends EndResult {
  /** Processors that both ends together kept busy; 0 when that was not measured. */
  readonly busy: number;
}

/** One process that says a result by itself. */
export async function runOneEnd(command: readonly string[], core: number | undefined): Promise<EndResult> {
  const end = startEnd(command, core);
  try {
    return await Promise.race([messageOf(end, 'result'), ended(end)]);
  } finally {
    kill([end]);
  }
}

export async function runTwoEnds(options: TwoEnds): Promise<TwoEndsResult> {
  const { commandOf, coreOf } = options;
  const server = startEnd(commandOf('server'), coreOf('server'));
  const client = startEnd(commandOf('client'), coreOf('client'));
  const ends = [server, client];
  try {
    // Whichever is waited for, the other one is needed for it.
    return await Promise.race([playTwoEnds(server, client, options), ...ends.map(ended)]);
  } finally {
    kill(ends);
  }
}

async function playTwoEnds(server: End, client: End, { resultFrom, measuresBusy }: TwoEnds): Promise<TwoEndsResult> {
  const ends = [server, client];
  const [ofServer, ofClient] = await Promise.all(ends.map(introductionOf));
  const ready = Promise.all(ends.map((end) => messageOf(end, 'ready')));
  server.process.send(ofClient as Introduction);
  client.process.send(ofServer as Introduction);
  await ready;
  const result = messageOf(resultFrom === 'client' ? client : server, 'result');
  const shares = Promise.all(measuresBusy === true ? ends.map((end) => messageOf(end, 'busy')) : []);
  client.process.send('start');
  const [said, busy] = await Promise.all([result, shares]);
  return { ...said, busy: busy.reduce((sum, { share }) => sum + share, 0) };
}

interface End {
  /** As it was called, for errors. */
  readonly name: string;
  readonly process: ChildProcess;
}

function startEnd(args: readonly string[], core: number | undefined): End {
  const [command, ...rest] = [
    ...(core === undefined ? [] : ['taskset', '-c', String(core)]),
    process.execPath,
    ...busyNodeOptions('node-agent'),
    ...args,
  ];
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
  const [file = '', ...options] = args;
  return {
    name: [basename(file), ...options].join(' '),
    process: spawn(command as string, rest, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  };
}

function kill(ends: readonly End[]): void {
  for (const end of ends) end.process.kill('SIGKILL');
}

/** Rejects when the process ends, or could not be started. */
function ended({ name, process: child }: End): Promise<never> {
  return new Promise((_resolve, reject) => {
    child.once('error', (error) => reject(new Error(`'${name}' could not be started: ${error.message}`)));
    child.once('exit', (code, signal) => reject(new Error(`'${name}' ended early (${signal ?? `status ${code}`})`)));
  });
}

async function introductionOf(end: End): Promise<Introduction> {
  return (await messageOf(end, 'introduction')).introduction;
}

function messageOf<K extends EndMessage['kind']>(end: End, kind: K): Promise<EndMessage & { kind: K }> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      end.process.off('message', onMessage);
      reject(new Error(`'${end.name}' said no '${kind}' within ${LIMIT_MS / 1000} s`));
    }, LIMIT_MS);
    const onMessage = (message: unknown) => {
      // Only an end's `say` writes to this channel.
      const said = message as EndMessage & { kind: K };
      if (said.kind !== kind) return;
      clearTimeout(limit);
      end.process.off('message', onMessage);
      resolve(said);
    };
    // The process that is waited for keeps this one alive, as long as there is something to wait for.
    limit.unref();
    end.process.on('message', onMessage);
  });
}
