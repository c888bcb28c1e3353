/** The prompt: reads lines at a terminal and runs them until `exit` or the end of input. */
import { FileError } from '../files/file-error.ts';
import type { TerminalSession } from '../terminal.ts';
import { endOf, runStatements } from './evaluator.ts';
import { ExitFlow, InterruptFlow, KilledFlow, ReplacedFlow } from './flow.ts';
import { LineEditor } from './line-editor.ts';
import type { Shell } from './shell.ts';
import { isIncomplete, parseScript } from './syntax.ts';
import { runExitTrap } from './traps.ts';

export async function runInteractive(shell: Shell, terminal: TerminalSession): Promise<number> {
  shell.interactive = true;
  shell.process.onSignal('SIGINT', () => shell.requestInterrupt());
  shell.process.onSignal('SIGQUIT', 'ignore');
  shell.process.onSignal('SIGTERM', 'ignore');
  const editor = new LineEditor(terminal, (line) => completions(shell, line));
  let text = '';
  for (;;) {
    const result = await editor.read(text === '' ? promptOf(shell) : (shell.get('PS2') ?? '> '));
    if (result.kind === 'interrupt') {
      text = '';
      shell.lastStatus = 130;
      continue;
    }
    if (result.kind === 'end') {
      await shell.write(2, 'exit\n');
      return runExitTrap(shell, shell.lastStatus);
    }
    text += `${result.text}\n`;
    if (isIncomplete(text)) continue;
    const source = text;
    text = '';
    await runLine(shell, source);
  }
}

async function runLine(shell: Shell, source: string): Promise<void> {
  shell.clearInterrupt();
  try {
    await runStatements(shell, parseScript(source).commands);
  } catch (flow) {
    if (flow instanceof ExitFlow || flow instanceof KilledFlow || flow instanceof ReplacedFlow) throw flow;
    if (flow instanceof InterruptFlow) await shell.write(2, '\n');
    shell.loopDepth = 0;
    shell.errexitSuppressed = 0;
    shell.lastStatus = (await endOf(shell, flow)) ?? 0;
  }
}

function promptOf(shell: Shell): string {
  const { files, hostname } = shell.container;
  const home = shell.get('HOME') ?? '/root';
  const standard = shell.isBash
    ? '\\u@\\h:\\w# '
    : files.exists('/etc/alpine-release') || !files.exists('/etc/debian_version')
      ? '\\w # '
      : '# ';
  const place = shell.cwd === home ? '~' : shell.cwd;
  const values: Record<string, string> = {
    u: 'root',
    h: hostname.split('.')[0] ?? hostname,
    H: hostname,
    w: place,
    W: place.split('/').at(-1) || '/',
    $: '#',
    n: '\n',
  };
  return (shell.get('PS1') ?? standard).replace(/\\(\[|\]|.)/g, (_, letter: string) => values[letter] ?? '');
}

function completions(shell: Shell, line: string): string[] {
  const word = /\S*$/.exec(line)?.[0] ?? '';
  const isCommand = line.slice(0, line.length - word.length).trim() === '' && !word.includes('/');
  if (!isCommand) return paths(shell, word);
  const names = new Set([...Object.keys(shell.builtins), ...shell.functions.keys()]);
  for (const directory of (shell.get('PATH') ?? '').split(':'))
    for (const name of list(shell, directory)) names.add(name);
  return [...names].filter((name) => name.startsWith(word)).sort();
}

function paths(shell: Shell, word: string): string[] {
  const slash = word.lastIndexOf('/');
  const base = word.slice(0, slash + 1);
  const prefix = word.slice(slash + 1);
  return list(shell, base === '' ? '.' : base)
    .filter((name) => name.startsWith(prefix) && (prefix.startsWith('.') || !name.startsWith('.')))
    .map((name) => `${base}${name}${isDirectory(shell, base + name) ? '/' : ''}`);
}

function list(shell: Shell, directory: string): string[] {
  try {
    return shell.container.files.readdir(shell.resolve(directory));
  } catch (error) {
    if (error instanceof FileError) return [];
    throw error;
  }
}

function isDirectory(shell: Shell, path: string): boolean {
  try {
    return shell.container.files.stat(shell.resolve(path)).kind === 'directory';
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
}
