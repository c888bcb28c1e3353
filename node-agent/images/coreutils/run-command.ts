/** Programs that start programs: xargs, env, timeout, time-like wrappers, find -exec, watch, nohup. */
import { OpenFile } from '../open-file.ts';
import { type Process, parseSignal } from '../process.ts';
import { pause, readAll } from '../program-io.ts';
import { parseOptions, UsageError } from './options.ts';
import type { Invocation, Utility } from './utility.ts';

export interface RunCommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: OpenFile;
  readonly stdout?: OpenFile;
  readonly stderr?: OpenFile;
}

/** Starts a command line; undefined, with a complaint, when there is no such program. */
export async function startCommandLine(
  run: Invocation,
  words: readonly string[],
  options: RunCommandOptions = {},
): Promise<Process | undefined> {
  const { context } = run;
  const env = options.env ?? context.env;
  const [name = ''] = words;
  const found = context.container.findExecutable(name, env.PATH, context.cwd);
  if (found.kind !== 'found') {
    await run.complain(
      found.kind === 'not-found'
        ? `can't execute '${name}': No such file or directory`
        : `can't execute '${name}': Permission denied`,
      found.kind === 'not-found' ? 127 : 126,
    );
    return undefined;
  }
  const { stdin, stdout, stderr } = context.standardFiles;
  return context.container.launch({
    path: found.path,
    argv: words,
    env,
    cwd: context.cwd,
    stdin: options.stdin ?? stdin,
    stdout: options.stdout ?? stdout,
    stderr: options.stderr ?? stderr,
    terminal: context.terminal,
    parent: context.process,
  });
}

/** Runs a command line to its end; 127 or 126 when it cannot be started. */
export async function runCommandLine(
  run: Invocation,
  words: readonly string[],
  options: RunCommandOptions = {},
): Promise<number> {
  const process = await startCommandLine(run, words, options);
  return process === undefined ? run.status : (await process.exited).code;
}

export const xargs: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: '0rtpx',
    values: 'nIPLsda',
    permute: false,
    long: { null: '0', 'no-run-if-empty': 'r', 'max-args=': 'n', 'replace=': 'I' },
  });
  const input = (await readAll(run.context.stdin)).toString('utf8');
  const command = options.operands.length === 0 ? ['echo'] : options.operands;
  const replace = options.value('I');
  const items = options.has('0')
    ? input.split('\0').filter((item) => item !== '')
    : replace !== undefined || options.has('L')
      ? input
          .split('\n')
          .map((line) => line.trim())
          .filter((line) => line !== '')
      : options.has('d')
        ? input.replace(/\n$/, '').split((options.value('d') ?? '\n').replace('\\n', '\n'))
        : quotedWords(input);
  const size = replace !== undefined ? 1 : (options.number('n') ?? options.number('L') ?? Number.POSITIVE_INFINITY);
  const nothing = new OpenFile({});
  const lines: string[][] = [];
  if (items.length === 0 && !options.has('r') && replace === undefined) lines.push([...command]);
  for (let index = 0; index < items.length; index += Math.min(size, items.length)) {
    const batch = items.slice(index, index + Math.min(size, items.length));
    lines.push(
      replace === undefined ? [...command, ...batch] : command.map((word) => word.replaceAll(replace, batch[0] ?? '')),
    );
  }
  let code = 0;
  const parallel = Math.max(1, options.number('P') ?? 1);
  const workers = Array.from({ length: Math.min(parallel, lines.length) }, async () => {
    for (let line = lines.shift(); line !== undefined; line = lines.shift()) {
      if (options.has('t')) run.context.stderr.write(`${line.join(' ')}\n`);
      const status = await runCommandLine(run, line, { stdin: nothing });
      if (status >= 126) {
        code = status > 128 ? 125 : status;
        return;
      }
      if (status !== 0) code = 123;
    }
  });
  await Promise.all(workers);
  return code;
};

/** Words with quotes and backslashes as xargs reads them. */
function quotedWords(input: string): string[] {
  return [...input.matchAll(/(?:"[^"]*"|'[^']*'|\\.|[^\s"'\\])+/gs)].map(([word]) =>
    word.replace(
      /"([^"]*)"|'([^']*)'|\\(.)/gs,
      (_, double: string | undefined, single: string | undefined, escaped: string | undefined) =>
        double ?? single ?? escaped ?? '',
    ),
  );
}

export const env: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'i0', values: 'u', permute: false });
  const environment: Record<string, string> = options.has('i') ? {} : { ...run.context.env };
  for (const name of options.values('u')) delete environment[name];
  const words = [...options.operands];
  if (words[0] === '-') words.shift();
  for (
    let match = /^([^=]+)=(.*)$/s.exec(words[0] ?? '');
    match !== null;
    match = /^([^=]+)=(.*)$/s.exec(words[0] ?? '')
  ) {
    environment[match[1] ?? ''] = match[2] ?? '';
    words.shift();
  }
  if (words.length > 0) return runCommandLine(run, words, { env: environment });
  for (const [name, value] of Object.entries(environment))
    await run.print(`${name}=${value}${options.has('0') ? '\0' : '\n'}`);
  return 0;
};

export const printenv: Utility = async (run) => {
  if (run.args.length === 0)
    for (const [name, value] of Object.entries(run.context.env)) await run.print(`${name}=${value}\n`);
  for (const name of run.args) {
    const value = run.context.env[name];
    if (value === undefined) run.status = 1;
    else await run.print(`${value}\n`);
  }
};

export const timeout: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'fv',
    values: 'sk',
    permute: false,
    long: { 'signal=': 's', 'kill-after=': 'k', foreground: 'f', 'preserve-status': 'preserve' },
  });
  const [duration, ...command] = options.operands;
  if (duration === undefined || command.length === 0) throw new UsageError('missing operand');
  const signal = parseSignal(options.value('s') ?? 'TERM');
  if (signal === undefined) throw new UsageError(`bad signal name '${options.value('s')}'`);
  const process = await startCommandLine(run, command);
  if (process === undefined) return run.status;
  const stop = new AbortController();
  void process.exited.then(() => stop.abort());
  await pause(durationMs(duration), AbortSignal.any([stop.signal, run.context.signal]));
  if (process.exitStatus !== undefined) return process.exitStatus.code;
  process.deliver(signal);
  const killAfter = options.value('k');
  if (killAfter !== undefined) {
    await pause(durationMs(killAfter), stop.signal);
    process.deliver('SIGKILL');
  }
  const { code } = await process.exited;
  return options.has('preserve')
    ? code
    : signal === 'SIGKILL' || (killAfter !== undefined && code === 137)
      ? 137
      : run.context.container.files.exists('/etc/alpine-release')
        ? 143
        : 124;
};

/** `5`, `0.5`, `2s`, `3m`, `1h`, `1d`, `infinity`. */
export function durationMs(text: string): number {
  if (text === 'infinity' || text === 'inf') return Number.POSITIVE_INFINITY;
  const match = /^(\d*\.?\d+)([smhd]?)$/.exec(text);
  if (match === null) throw new UsageError(`invalid number '${text}'`);
  return Number(match[1]) * { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] || 's']!;
}

export const sleep: Utility = async (run) => {
  if (run.args.length === 0) throw new UsageError('missing operand');
  await pause(
    run.args.reduce((sum, text) => sum + durationMs(text), 0),
    run.context.signal,
  );
};

export const nohup: Utility = (run) => {
  run.context.process.onSignal('SIGHUP', 'ignore');
  return runCommandLine(run, run.args);
};

export const nice: Utility = (run) => runCommandLine(run, run.args[0] === '-n' ? run.args.slice(2) : run.args);

export const time: Utility = async (run) => {
  const startedMs = performance.now();
  const code = await runCommandLine(
    run,
    run.args.filter((arg) => arg !== '-p'),
  );
  const seconds = (performance.now() - startedMs) / 1000;
  run.context.stderr.write(
    `real\t${Math.floor(seconds / 60)}m ${(seconds % 60).toFixed(2)}s\nuser\t0m 0.00s\nsys\t0m 0.00s\n`,
  );
  return code;
};

export const watch: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'tdex', values: 'n', permute: false });
  const intervalMs = Number(options.value('n') ?? 2) * 1000;
  const command = options.operands.join(' ');
  while (!run.context.signal.aborted) {
    await run.print('\x1b[H\x1b[J');
    if (!options.has('t')) await run.print(`Every ${(intervalMs / 1000).toFixed(1)}s: ${command}\n\n`);
    await runCommandLine(run, ['sh', '-c', command]);
    await pause(intervalMs, run.context.signal);
  }
};
