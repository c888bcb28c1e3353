/** `dmesg` (util-linux): the messages of the node's kernel, which are those of netfilter's LOG. */
import type { KernelLog, KernelLogLine } from '../datapath/kernel-log.ts';
import { asctime } from './asctime.ts';
import { type CommandOutput, failed, printed } from './command-output.ts';
import { followOn, readFollowOn } from './follow-on.ts';

const FLAGS: Readonly<Record<string, Flag>> = {
  '-w': 'follow',
  '--follow': 'follow',
  '-W': 'follow-new',
  '--follow-new': 'follow-new',
  '-T': 'times',
  '--ctime': 'times',
  '-t': 'no-times',
  '--notime': 'no-times',
  '-c': 'read-clear',
  '--read-clear': 'read-clear',
  '-C': 'clear',
  '--clear': 'clear',
};
type Flag = 'follow' | 'follow-new' | 'times' | 'no-times' | 'read-clear' | 'clear';

/** `nowUs`: on the node's clock. */
export function dmesgCommand(log: KernelLog, nowUs: number, words: readonly string[]): CommandOutput {
  const { asked, after } = readFollowOn(words);
  const options = asked.flatMap(optionsIn);
  const unknown = options.find((option) => !Object.hasOwn(FLAGS, option));
  if (unknown !== undefined) return failed(`dmesg: ${complaint(unknown)}\nTry 'dmesg --help' for more information.`);
  const flags = new Set(options.map((option) => FLAGS[option]));
  const { lines, next } = log.since(after ?? (flags.has('follow-new') ? Number.POSITIVE_INFINITY : 0));
  if (flags.has('clear') || flags.has('read-clear')) log.clear();
  if (flags.has('clear')) return printed('');
  const output = printed(lines.map((line) => `${stamp(line, nowUs, flags)}${line.text}\n`).join(''));
  if (!flags.has('follow') && !flags.has('follow-new')) return output;
  return { ...output, next: followOn('dmesg', asked, next) };
}

/** `-Tw` is `-T -w`. */
function optionsIn(word: string): string[] {
  return /^-[^-]/.test(word) ? [...word.slice(1)].map((letter) => `-${letter}`) : [word];
}

function complaint(word: string): string {
  if (word.startsWith('--')) return `unrecognized option '${word}'`;
  return word.startsWith('-') ? `invalid option -- '${word.slice(1)}'` : 'bad usage';
}

function stamp({ atUs }: KernelLogLine, nowUs: number, flags: ReadonlySet<Flag | undefined>): string {
  if (flags.has('no-times')) return '';
  if (!flags.has('times')) return `[${(atUs / 1_000_000).toFixed(6).padStart(12)}] `;
  return `[${asctime(new Date(Date.now() - (nowUs - atUs) / 1000))}] `;
}
