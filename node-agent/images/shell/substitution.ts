/** Command substitution (POSIX 2.6.3): the output of a subshell without its last line feeds. */
import type { ParsedScript } from 'unbash';
import { openPipe } from '../open-file.ts';
import { readAll } from '../program-io.ts';
import { runForked, runStatements, tailCommand } from './evaluator.ts';
import { expandText } from './expansion.ts';
import type { Shell } from './shell.ts';

export async function substituteCommand(shell: Shell, script: ParsedScript): Promise<string> {
  const path = await redirectedFile(shell, script);
  if (path !== undefined) {
    shell.substitutionStatus = 0;
    return trim(shell.container.files.readText(shell.resolve(path)));
  }
  const { reading, writing } = openPipe();
  const child = shell.fork();
  child.descriptors.set(1, writing);
  const finished = runForked(child, () => runStatements(child, script.commands, tailCommand(child, script.commands)));
  const output = await shell.waitFor(readAll(reading.reader()));
  const status = await shell.waitFor(child.process.exited);
  await finished;
  reading.release();
  shell.substitutionStatus = status?.code ?? 0;
  shell.lastStatus = shell.substitutionStatus;
  return trim(output?.toString('utf8') ?? '');
}

/** `$(<file)`. */
async function redirectedFile(shell: Shell, script: ParsedScript): Promise<string | undefined> {
  const [statement, second] = script.commands;
  if (second !== undefined || statement?.command.type !== 'Command') return undefined;
  const { name, prefix, suffix } = statement.command;
  const [redirect] = prefix;
  if (name !== undefined || suffix.length > 0 || prefix.length !== 1 || redirect?.type !== 'Redirect') return undefined;
  if (redirect.operator !== '<' || redirect.target === undefined) return undefined;
  const path = await expandText(shell, redirect.target);
  return shell.container.files.exists(shell.resolve(path)) ? path : undefined;
}

function trim(text: string): string {
  return text.replace(/\n+$/, '').replaceAll('\0', '');
}
