/** `sh`: the program. `sh -c CMD [name args]`, `sh file args`, a script on standard input, or a prompt on a terminal. */

import { resolvePath } from '../files/container-files.ts';
import { FileError } from '../files/file-error.ts';
import type { Program, ProgramContext } from '../image.ts';
import { readLine } from '../program-io.ts';
import { BUILTINS } from './builtins/table.ts';
import { applyOptions } from './builtins/variables.ts';
import { Descriptors } from './descriptors.ts';
import { endOf, runStatements, tailCommand } from './evaluator.ts';
import { ReplacedFlow, ShellError } from './flow.ts';
import { Shell } from './shell.ts';
import { isIncomplete, parseScript } from './syntax.ts';
import { runExitTrap } from './traps.ts';

export const sh: Program = async (context) => {
  const shell = shellFor(context);
  try {
    return await runShell(shell, context);
  } catch (flow) {
    const status = await endOf(shell, flow);
    if (status !== undefined) return status;
    // Another program has our process now; its end is ours.
    if (flow instanceof ReplacedFlow) shell.descriptors.dispose();
    return (await context.process.exited).code;
  } finally {
    shell.descriptors.dispose();
  }
};

/** A shell with the program's own streams. */
export function shellFor(context: ProgramContext): Shell {
  const { stdin, stdout, stderr } = context.standardFiles;
  const shell = new Shell({
    builtins: BUILTINS,
    container: context.container,
    process: context.process,
    terminal: context.terminal,
    name: context.argv[0] ?? 'sh',
    environment: context.env,
    cwd: context.cwd,
    descriptors: new Descriptors([
      [0, stdin],
      [1, stdout],
      [2, stderr],
    ]),
  });
  shell.export('PWD', context.cwd);
  return shell;
}

interface Invocation {
  readonly command: string | undefined;
  readonly script: string | undefined;
  readonly positional: readonly string[];
  readonly interactive: boolean;
}

async function runShell(shell: Shell, context: ProgramContext): Promise<number> {
  const invocation = parseInvocation(shell, context.argv.slice(1));
  if (invocation.command !== undefined) {
    const [name, ...positional] = invocation.positional;
    if (name !== undefined) shell.name = name;
    shell.positional = positional;
    return runText(shell, invocation.command, true);
  }
  shell.positional = invocation.positional;
  if (invocation.script !== undefined) {
    const text = await scriptText(shell, invocation.script);
    if (text === undefined) return 127;
    shell.name = invocation.script;
    return runText(shell, text, false);
  }
  if (context.terminal !== undefined && context.standardFiles.stdin.isTerminal) {
    const { runInteractive } = await import('./interactive.ts');
    return runInteractive(shell, context.terminal);
  }
  return runStandardInput(shell);
}

function parseInvocation(shell: Shell, args: readonly string[]): Invocation {
  let index = 0;
  let hasCommand = false;
  let interactive = false;
  let readsInput = false;
  for (; index < args.length; index++) {
    const word = args[index] ?? '';
    if (word === '--' || word === '-') {
      index += 1;
      break;
    }
    if (/^--(login|norc|noprofile|posix)$/.test(word)) continue;
    if (!/^[-+]./.test(word)) break;
    let letters = word.slice(1);
    if (word.startsWith('-')) {
      hasCommand ||= letters.includes('c');
      interactive ||= letters.includes('i');
      readsInput ||= letters.includes('s');
      letters = letters.replace(/[cils]/g, '');
    }
    if (letters === '') continue;
    const taken = letters.includes('o')
      ? [`${word.charAt(0)}${letters}`, args[++index] ?? '']
      : [`${word.charAt(0)}${letters}`];
    const { message } = applyOptions(shell, taken);
    if (message !== undefined) throw new ShellError(message);
  }
  const rest = args.slice(index);
  if (hasCommand) {
    const [command, ...positional] = rest;
    if (command === undefined) throw new ShellError('-c requires an argument');
    return { command, script: undefined, positional, interactive };
  }
  const [script, ...positional] = rest;
  if (readsInput) return { command: undefined, script: undefined, positional: rest, interactive };
  return { command: undefined, script, positional, interactive };
}

async function scriptText(shell: Shell, name: string): Promise<string | undefined> {
  const path = resolvePath(shell.cwd, name);
  try {
    return shell.container.files.readText(path);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    await shell.complain(`can't open '${name}': ${error.message}`);
    return undefined;
  }
}

async function runText(shell: Shell, text: string, tail: boolean): Promise<number> {
  const { commands } = parseScript(text);
  if (shell.options.has('noexec')) return 0;
  const status = await runStatements(shell, commands, tail && tailCommand(shell, commands));
  return runExitTrap(shell, status);
}

/** Command by command, so that a script may read the lines that follow it. */
async function runStandardInput(shell: Shell): Promise<number> {
  const stream = shell.reader(0);
  let text = '';
  for (;;) {
    const line = stream === undefined ? undefined : await shell.waitFor(readLine(stream));
    text += line ?? '';
    if (line !== undefined && isIncomplete(text)) continue;
    if (text.trim() !== '') await runStatements(shell, parseScript(text).commands);
    text = '';
    if (line === undefined) break;
  }
  return runExitTrap(shell, shell.lastStatus);
}
