/** Utilities about the machine, the user, the time and processes. */
import { type Process, parseSignal, SIGNAL_NUMBERS } from '../process.ts';
import { parseOptions, UsageError } from './options.ts';
import type { Invocation, Utility } from './utility.ts';

export const hostname: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'sfidIA' });
  const { container } = run.context;
  if (options.has('i') || options.has('I')) {
    const addresses = await container.network.addresses();
    const text = addresses.filter(({ address }) => !address.startsWith('127.')).map(({ address }) => address);
    await run.print(`${text.join(' ')}${options.has('I') ? ' ' : ''}\n`);
  } else if (options.has('s')) await run.print(`${container.hostname.split('.')[0]}\n`);
  else if (options.has('f')) await run.print(`${fullName(run) ?? container.hostname}\n`);
  else if (options.has('d')) await run.print(`${(fullName(run) ?? '').split('.').slice(1).join('.')}\n`);
  else await run.print(`${container.hostname}\n`);
};

function fullName(run: Invocation): string | undefined {
  const { container } = run.context;
  const line = container.files
    .readText('/etc/hosts')
    .split('\n')
    .find((entry) => entry.split(/\s+/).includes(container.hostname));
  return line?.split(/\s+/)[1];
}

export const uname: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'asnrvmpio' });
  const fields: readonly (readonly [string, string])[] = [
    ['s', 'Linux'],
    ['n', run.context.container.hostname],
    ['r', '6.1.0-podwire'],
    ['v', '#1 SMP PREEMPT_DYNAMIC'],
    ['m', 'x86_64'],
    ['o', 'GNU/Linux'],
  ];
  const wanted = fields.filter(
    ([flag]) => options.has('a') || options.has(flag) || (run.args.length === 0 && flag === 's'),
  );
  await run.print(`${wanted.map(([, text]) => text).join(' ')}\n`);
};

export const id: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'unrgG' });
  if (options.has('u') || options.has('g') || options.has('G')) await run.print(options.has('n') ? 'root\n' : '0\n');
  else await run.print('uid=0(root) gid=0(root) groups=0(root)\n');
};

export const whoami: Utility = (run) => run.print('root\n');

export const arch: Utility = (run) => run.print('x86_64\n');

export const nproc: Utility = (run) => run.print('1\n');

export const tty: Utility = async (run) => {
  const isTerminal = run.context.standardFiles.stdin.isTerminal;
  await run.print(isTerminal ? '/dev/pts/0\n' : 'not a tty\n');
  return isTerminal ? 0 : 1;
};

export const clear: Utility = (run) => run.print('\x1b[H\x1b[2J\x1b[3J');

export const uptime: Utility = async (run) => {
  const first = run.context.container.processes.main;
  const minutes = Math.floor((Date.now() - (first?.startedAtMs ?? Date.now())) / 60_000);
  await run.print(
    ` ${new Date().toISOString().slice(11, 19)} up ${minutes} min,  0 users,  load average: 0.00, 0.00, 0.00\n`,
  );
};

export const free: Utility = (run) =>
  run.print(
    '              total        used        free      shared  buff/cache   available\nMem:        2097152     1048576     1048576           0           0     1048576\nSwap:             0           0           0\n',
  );

export const date: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 'uRI',
    values: 'drs',
    long: { utc: 'u', 'date=': 'd', 'iso-8601': 'I', 'iso-8601=': 'iso', 'rfc-email': 'R' },
  });
  const given = options.value('d');
  const moment =
    given === undefined
      ? new Date()
      : new Date(given.startsWith('@') ? Number(given.slice(1)) * 1000 : Date.parse(given));
  if (Number.isNaN(moment.getTime())) throw new UsageError(`invalid date '${given}'`);
  const format = options.operands[0];
  if (format?.startsWith('+')) await run.print(`${formatDate(moment, format.slice(1))}\n`);
  else if (options.has('R')) await run.print(`${formatDate(moment, '%a, %d %b %Y %H:%M:%S +0000')}\n`);
  else if (options.has('I') || options.has('iso'))
    await run.print(
      `${formatDate(moment, options.value('iso')?.startsWith('s') ? '%Y-%m-%dT%H:%M:%S+00:00' : '%Y-%m-%d')}\n`,
    );
  else await run.print(`${formatDate(moment, '%a %b %e %H:%M:%S UTC %Y')}\n`);
};

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

/** strftime in UTC. */
export function formatDate(moment: Date, format: string): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = DAYS[moment.getUTCDay()] ?? '';
  const month = MONTHS[moment.getUTCMonth()] ?? '';
  const hour12 = moment.getUTCHours() % 12 || 12;
  const nanoseconds = String(moment.getUTCMilliseconds()).padStart(3, '0').padEnd(9, '0');
  const yearStartMs = Date.UTC(moment.getUTCFullYear(), 0, 1);
  const values: Record<string, string> = {
    Y: String(moment.getUTCFullYear()),
    y: two(moment.getUTCFullYear() % 100),
    m: two(moment.getUTCMonth() + 1),
    d: two(moment.getUTCDate()),
    e: String(moment.getUTCDate()).padStart(2),
    H: two(moment.getUTCHours()),
    I: two(hour12),
    l: String(hour12).padStart(2),
    M: two(moment.getUTCMinutes()),
    S: two(moment.getUTCSeconds()),
    p: moment.getUTCHours() < 12 ? 'AM' : 'PM',
    N: nanoseconds,
    s: String(Math.floor(moment.getTime() / 1000)),
    a: day.slice(0, 3),
    A: day,
    b: month.slice(0, 3),
    h: month.slice(0, 3),
    B: month,
    j: String(Math.floor((moment.getTime() - yearStartMs) / 86_400_000) + 1).padStart(3, '0'),
    u: String(moment.getUTCDay() || 7),
    w: String(moment.getUTCDay()),
    Z: 'UTC',
    z: '+0000',
    n: '\n',
    t: '\t',
    '%': '%',
  };
  const composed = format
    .replace(/%T/g, '%H:%M:%S')
    .replace(/%F/g, '%Y-%m-%d')
    .replace(/%D/g, '%m/%d/%y')
    .replace(/%R/g, '%H:%M')
    .replace(/%c/g, '%a %b %e %H:%M:%S %Y')
    .replace(/%r/g, '%I:%M:%S %p');
  return composed
    .replace(/%(\d*)N/g, (_, digits: string) => nanoseconds.slice(0, Number(digits || 9)))
    .replace(/%-?([A-Za-z%])/g, (whole, letter: string) =>
      whole.startsWith('%-') ? (values[letter] ?? '').replace(/^[0 ](?=.)/, '') : (values[letter] ?? whole),
    );
}

export const ps: Utility = async (run) => {
  const words = run.args.join('');
  const wide = /[fF]/.test(words.replace(/^-?aux.*/, ''));
  const processes = run.context.container.processes.list();
  if (/aux/.test(words)) {
    await run.print('USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n');
    for (const process of processes)
      await run.print(
        `root ${String(process.pid).padStart(11)}  0.0  0.0   4000  1000 ?        S    ${formatDate(new Date(process.startedAtMs), '%H:%M')}   0:00 ${process.argv.join(' ')}\n`,
      );
    return;
  }
  if (wide) {
    await run.print('UID          PID    PPID  C STIME TTY          TIME CMD\n');
    for (const process of processes)
      await run.print(
        `root ${String(process.pid).padStart(11)} ${String(process.parentPid).padStart(7)}  0 ${formatDate(new Date(process.startedAtMs), '%H:%M')} ?        00:00:00 ${process.argv.join(' ')}\n`,
      );
    return;
  }
  await run.print('PID   USER     TIME  COMMAND\n');
  for (const process of processes)
    await run.print(`${String(process.pid).padStart(5)} root      0:00 ${process.argv.join(' ')}\n`);
};

function nameOf(process: Process): string {
  return process.argv[0]?.split('/').at(-1) ?? '';
}

function matching(run: Invocation, pattern: string, full: boolean, exact: boolean): Process[] {
  const expression = new RegExp(exact ? `^(?:${pattern})$` : pattern);
  return run.context.container.processes
    .list()
    .filter(
      (process) => process !== run.context.process && expression.test(full ? process.argv.join(' ') : nameOf(process)),
    );
}

export const pgrep: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'flxavno' });
  const found = matching(run, options.operands[0] ?? '', options.has('f'), options.has('x'));
  for (const process of found)
    await run.print(`${process.pid}${options.has('l') || options.has('a') ? ` ${process.argv.join(' ')}` : ''}\n`);
  return found.length === 0 ? 1 : 0;
};

export const pkill: Utility = async (run) => {
  const signalWord = run.args.find((arg) => /^-([A-Z0-9]+)$/.test(arg));
  const signal = parseSignal(signalWord?.slice(1) ?? 'TERM') ?? 'SIGTERM';
  const options = parseOptions(
    run.args.filter((arg) => arg !== signalWord),
    { flags: 'flxno' },
  );
  const found = matching(run, options.operands[0] ?? '', options.has('f'), options.has('x'));
  for (const process of found) process.deliver(signal);
  return found.length === 0 ? 1 : 0;
};

export const killall: Utility = async (run) => {
  const signalWord = run.args.find((arg) => /^-([A-Z0-9]+)$/.test(arg) && parseSignal(arg.slice(1)) !== undefined);
  const signal = parseSignal(signalWord?.slice(1) ?? 'TERM') ?? 'SIGTERM';
  for (const name of run.args.filter((arg) => !arg.startsWith('-'))) {
    const found = run.context.container.processes.list().filter((process) => nameOf(process) === name);
    for (const process of found) process.deliver(signal);
    if (found.length === 0) await run.complain(`${name}: no process killed`);
  }
};

export const pidof: Utility = async (run) => {
  const found = run.context.container.processes.list().filter((process) => run.args.includes(nameOf(process)));
  if (found.length === 0) return 1;
  await run.print(`${found.map((process) => process.pid).join(' ')}\n`);
  return 0;
};

/** `kill` as a program, for `kubectl exec POD -- kill 1`. */
export const kill: Utility = async (run) => {
  if (run.args[0] === '-l') {
    await run.print(
      `${Object.keys(SIGNAL_NUMBERS)
        .map((name) => name.slice(3))
        .join('\n')}\n`,
    );
    return;
  }
  const words = run.args[0] === '-s' ? [`-${run.args[1]}`, ...run.args.slice(2)] : run.args;
  const signalWord = /^-\w/.test(words[0] ?? '') ? (words[0] ?? '').slice(1) : undefined;
  const signal = signalWord === '0' ? 0 : parseSignal(signalWord ?? 'TERM');
  if (signal === undefined) throw new UsageError(`bad signal name '${signalWord}'`);
  for (const word of signalWord === undefined ? words : words.slice(1)) {
    const process = run.context.container.processes.get(Number(word));
    if (process === undefined) await run.complain(`can't kill pid ${word}: No such process`);
    else if (signal !== 0) process.deliver(signal);
  }
};
