/** Runs a benchmark that has two ends, a process each: they are introduced to each other, one starts, one says the result. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { EndMessage, EndResult, Introduction } from './datapath-message.ts';

const LIMIT_MS = 30_000;

export type Role = 'server' | 'client';

export interface TwoEnds {
  /** Program file and arguments. */
  readonly commandOf: (role: Role) => readonly string[];
  /** The processor an end is pinned to. */
  readonly coreOf: (role: Role) => number | undefined;
  readonly resultFrom: Role;
}

export async function runTwoEnds({ commandOf, coreOf, resultFrom }: TwoEnds): Promise<EndResult> {
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
    client.send('start');
    return await result;
  } finally {
    for (const end of ends) end.kill('SIGKILL');
  }
}

function startEnd(args: readonly string[], core: number | undefined): ChildProcess {
  const [command, ...rest] = [
    ...(core === undefined ? [] : ['taskset', '-c', String(core)]),
    process.execPath,
    ...args,
  ];
  return spawn(command as string, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
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
