/** Background jobs and signals: `jobs`, `wait`, `kill`, `fg`, `bg`, `trap`. */
import { parseSignal, SIGNAL_NUMBERS } from '../../process.ts';
import type { Job, Shell } from '../shell.ts';
import { conditionOf, setTrap } from '../traps.ts';
import type { Builtin } from './builtin.ts';

export const jobs: Builtin = async (shell) => {
  for (const job of shell.jobs) {
    const state = job.status === undefined ? 'Running' : job.status.code === 0 ? 'Done' : `Done(${job.status.code})`;
    await shell.write(1, `[${job.number}]+ ${state.padEnd(23)} ${job.process.argv.join(' ')}\n`);
  }
  forgetFinished(shell);
  return 0;
};

export const wait: Builtin = async (shell, args) => {
  const targets = args.filter((arg) => arg !== '-n');
  if (targets.length === 0) {
    for (const job of [...shell.jobs]) {
      const status = await waitForJob(shell, job);
      if (status === undefined) return interrupted(shell);
    }
    return 0;
  }
  let code = 0;
  for (const target of targets) {
    const job = findJob(shell, target);
    if (job === undefined) {
      code = 127;
      continue;
    }
    const status = await waitForJob(shell, job);
    if (status === undefined) return interrupted(shell);
    code = status;
  }
  return code;
};

async function waitForJob(shell: Shell, job: Job): Promise<number | undefined> {
  if (shell.pendingSignals.length > 0) return undefined;
  const status = await shell.waitFor(job.process.exited, true);
  if (status === undefined) return undefined;
  const index = shell.jobs.indexOf(job);
  if (index >= 0) shell.jobs.splice(index, 1);
  return status.code;
}

function interrupted(shell: Shell): number {
  const [signal] = shell.pendingSignals;
  return signal === undefined ? 128 : 128 + SIGNAL_NUMBERS[signal];
}

function forgetFinished(shell: Shell): void {
  const running = shell.jobs.filter((job) => job.status === undefined);
  shell.jobs.splice(0, shell.jobs.length, ...running);
}

function findJob(shell: Shell, target: string): Job | undefined {
  if (target === '%%' || target === '%+' || target === '%') return shell.jobs.at(-1);
  if (target.startsWith('%')) return shell.jobs.find((job) => job.number === Number(target.slice(1)));
  return shell.jobs.find((job) => job.process.pid === Number(target));
}

export const kill: Builtin = async (shell, args) => {
  const [first = ''] = args;
  if (first === '-l') {
    const names = Object.keys(SIGNAL_NUMBERS).map((name) => name.slice(3));
    await shell.write(1, `${names.join('\n')}\n`);
    return 0;
  }
  let name = 'TERM';
  let targets = args;
  if (first === '-s' || first === '-n') {
    name = args[1] ?? '';
    targets = args.slice(2);
  } else if (first === '--') targets = args.slice(1);
  else if (/^-./.test(first)) {
    name = first.slice(1);
    targets = args.slice(1);
  }
  const signal = name === '0' ? 0 : parseSignal(name);
  if (signal === undefined) {
    await shell.complain(`kill: bad signal name '${name}'`);
    return 1;
  }
  let code = 0;
  for (const target of targets) {
    const failure = signalTarget(shell, target, signal);
    if (failure === undefined) continue;
    await shell.complain(`kill: ${failure}`);
    code = 1;
  }
  return code;
};

function signalTarget(shell: Shell, target: string, signal: ReturnType<typeof parseSignal> | 0): string | undefined {
  const job = target.startsWith('%') ? findJob(shell, target) : undefined;
  const pid = target.startsWith('%') ? (job?.process.pid ?? Number.NaN) : Number(target);
  if (!Number.isInteger(pid)) return `invalid number '${target}'`;
  const { processes } = shell.container;
  if (pid <= 0) {
    if (signal === 0 || signal === undefined) return undefined;
    if (pid === -1) for (const process of processes.list()) if (process.pid !== 1) process.deliver(signal);
    if (pid !== -1) processes.signalGroup(pid === 0 ? shell.process.group : -pid, signal);
    return undefined;
  }
  const process = processes.get(pid);
  if (process === undefined) return `can't kill pid ${pid}: No such process`;
  if (signal !== 0 && signal !== undefined) process.deliver(signal);
  return undefined;
}

export const fg: Builtin = async (shell, args) => {
  const job = findJob(shell, args[0] ?? '%%');
  if (job === undefined) {
    await shell.complain('fg: no current job');
    return 1;
  }
  return (await waitForJob(shell, job)) ?? 128;
};

export const trap: Builtin = async (shell, args) => {
  const words = args[0] === '--' ? args.slice(1) : args;
  if (words.length === 0 || words[0] === '-p') {
    for (const [condition, action] of shell.traps) {
      await shell.write(1, `trap -- '${action.replaceAll("'", `'\\''`)}' ${condition}\n`);
    }
    return 0;
  }
  const [first = '', ...rest] = words;
  const resets = first === '-' || (rest.length === 0 && conditionOfWord(first) !== undefined) || /^\d+$/.test(first);
  const conditions = first === '-' ? rest : resets ? words : rest;
  let code = 0;
  for (const word of conditions) {
    const condition = conditionOfWord(word);
    if (condition === undefined) {
      await shell.complain(`trap: ${word}: invalid signal specification`);
      code = 1;
    } else setTrap(shell, condition, resets ? undefined : first);
  }
  return code;
};

function conditionOfWord(word: string): string | undefined {
  if (word === '0' || word.toUpperCase() === 'EXIT') return 'EXIT';
  const signal = parseSignal(word);
  return signal === undefined ? undefined : conditionOf(signal);
}
