/**
 * Runs a benchmark that has two ends, a process each: they are introduced to each other, one starts, one says the result. They
 * run as a node-agent does that was busy for a while.
 */
import { type ChildProcess, spawn } from 'node:child_process';
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
    return await messageOf(end, 'result');
  } finally {
    end.kill('SIGKILL');
  }
}

export async function runTwoEnds(options: TwoEnds): Promise<TwoEndsResult> {
  const { commandOf, coreOf, resultFrom, measuresBusy } = options;
  const server = startEnd(commandOf('server'), coreOf('server'));
  const client = startEnd(commandOf('client'), coreOf('client'));
  const ends = [server, client];
  try {
    const [ofServer, ofClient] = await Promise.all(ends.map(introductionOf));
    const ready = Promise.all(ends.map((end) => messageOf(end, 'ready')));
    server.send(ofClient as Introduction);
    client.send(ofServer as Introduction);
    await ready;
    const result = messageOf(resultFrom === 'client' ? client : server, 'result');
    const shares = Promise.all(measuresBusy === true ? ends.map((end) => messageOf(end, 'busy')) : []);
    client.send('start');
    const busy = (await shares).reduce((sum, { share }) => sum + share, 0);
    return { ...(await result), busy };
  } finally {
    for (const end of ends) end.kill('SIGKILL');
  }
}

function startEnd(args: readonly string[], core: number | undefined): ChildProcess {
  const [command, ...rest] = [
    ...(core === undefined ? [] : ['taskset', '-c', String(core)]),
    process.execPath,
    ...busyNodeOptions('node-agent'),
    ...args,
  ];
  const env = { ...process.env, MALLOC_ARENA_MAX: '1' };
  return spawn(command as string, rest, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

async function introductionOf(end: ChildProcess): Promise<Introduction> {
  return (await messageOf(end, 'introduction')).introduction;
}

function messageOf<K extends EndMessage['kind']>(end: ChildProcess, kind: K): Promise<EndMessage & { kind: K }> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => settle(() => reject(new Error(`no '${kind}' within ${LIMIT_MS} ms`))), LIMIT_MS);
    const onExit = () => settle(() => reject(new Error(`an end of the path ended before its '${kind}'`)));
    const onMessage = (message: unknown) => {
      // Only an end's `say` writes to this channel.
      const said = message as EndMessage & { kind: K };
      if (said.kind === kind) settle(() => resolve(said));
    };
    const settle = (action: () => void): void => {
      clearTimeout(limit);
      end.off('exit', onExit).off('message', onMessage);
      action();
    };
    end.on('exit', onExit).on('message', onMessage);
  });
}
