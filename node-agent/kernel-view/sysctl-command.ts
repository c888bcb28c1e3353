/** `sysctl` (procps): reads a namespace's parameters, and sets them where /proc/sys may be written, as on a node. */
import { type SysctlFailure, sysctlName } from '../../shared/netstack/sysctl.ts';
import type { CommandOutput } from './command-output.ts';
import type { SysctlTree } from './sysctl-tree.ts';

const REASONS: Readonly<Record<Exclude<SysctlFailure, 'unknown'>, string>> = {
  'read-only': ': Permission denied',
  invalid: ': Invalid argument',
  'no-such-value': ': No such file or directory',
};

interface Flags {
  readonly all: boolean;
  readonly valuesOnly: boolean;
  readonly namesOnly: boolean;
  readonly write: boolean;
  readonly quiet: boolean;
}

/** `writable` is false in a pod, whose /proc/sys is mounted read-only. */
export function sysctlCommand(tree: SysctlTree, words: readonly string[], writable: boolean): CommandOutput {
  const letters = words.filter((word) => word.startsWith('-')).join('');
  const has = (letter: string): boolean => letters.includes(letter);
  const flags = {
    all: has('a') || has('A'),
    valuesOnly: has('n'),
    namesOnly: has('N'),
    write: has('w'),
    quiet: has('q'),
  };
  const given = words.filter((word) => !word.startsWith('-'));
  if (given.length === 0 && !flags.all) return { stdout: '', stderr: 'sysctl: no variables specified\n', code: 1 };
  const answers = (flags.all ? tree.names() : given).map((word) => answer(tree, word, flags, writable));
  return {
    stdout: answers.map(({ stdout }) => stdout).join(''),
    stderr: answers.map(({ stderr }) => stderr).join(''),
    code: answers.some(({ code }) => code !== 0) ? 1 : 0,
  };
}

function answer(tree: SysctlTree, word: string, flags: Flags, writable: boolean): CommandOutput {
  const [left = '', ...right] = word.split('=');
  const name = sysctlName(left.trim());
  if (tree.read(name) === undefined) return failure(`cannot stat ${pathOf(name)}: No such file or directory`);
  if (right.length === 0) {
    if (flags.write) return failure(`"${word}" must be of the form name=value`);
    return printed(tree, name, flags);
  }
  if (!writable) return failure(`setting key "${name}", ignoring: Read-only file system`);
  const problem = tree.write(name, right.join('='));
  if (problem !== null && problem !== 'unknown') return failure(`setting key "${name}"${REASONS[problem]}`);
  return flags.quiet ? { stdout: '', stderr: '', code: 0 } : printed(tree, name, flags);
}

function printed(tree: SysctlTree, name: string, flags: Flags): CommandOutput {
  const value = tree.read(name) ?? '';
  const line = flags.valuesOnly ? value : flags.namesOnly ? name : `${name} = ${value}`;
  return { stdout: `${line}\n`, stderr: '', code: 0 };
}

function failure(sentence: string): CommandOutput {
  return { stdout: '', stderr: `sysctl: ${sentence}\n`, code: 1 };
}

function pathOf(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}
