/** Redirections (POSIX 2.7), applied to the shell's current descriptors. */
import type { HereDoc, HereString, Redirect, Redirection } from 'unbash';
import { FileError } from '../files/file-error.ts';
import { bytesFile, type OpenFile, type OpenMode } from '../open-file.ts';
import { expandHereDocument, expandText } from './expansion.ts';
import type { Shell } from './shell.ts';

/** A redirection that could not be made: the command does not run and its status is 1. */
export class RedirectionError extends Error {
  override readonly name = 'RedirectionError';
}

/** Applies in order; throws `RedirectionError`. The caller keeps a copy of the descriptors to go back to. */
export async function applyRedirections(shell: Shell, redirections: readonly Redirection[]): Promise<void> {
  for (const redirection of redirections) {
    if (redirection.type === 'Redirect') await applyRedirect(shell, redirection);
    else
      shell.descriptors.set(
        numberOf(redirection, 0),
        bytesFile(new TextEncoder().encode(await hereText(shell, redirection))),
      );
  }
}

/** Runs with redirections in force and takes them back afterwards. */
export async function withRedirections<T>(
  shell: Shell,
  redirections: readonly Redirection[],
  run: () => Promise<T>,
): Promise<T> {
  if (redirections.length === 0) return run();
  const saved = shell.descriptors;
  shell.descriptors = saved.copy();
  try {
    await applyRedirections(shell, redirections);
    return await run();
  } finally {
    shell.descriptors.dispose();
    shell.descriptors = saved;
  }
}

async function hereText(shell: Shell, redirection: HereDoc | HereString): Promise<string> {
  if (redirection.type === 'HereDoc') return expandHereDocument(shell, redirection);
  return redirection.target === undefined ? '\n' : `${await expandText(shell, redirection.target)}\n`;
}

function numberOf(redirection: Redirection, standard: number): number {
  return redirection.descriptor?.type === 'FileDescriptor' ? redirection.descriptor.value : standard;
}

async function applyRedirect(shell: Shell, redirect: Redirect): Promise<void> {
  const target = redirect.target === undefined ? '' : await expandText(shell, redirect.target);
  switch (redirect.operator) {
    case '<':
      shell.descriptors.set(numberOf(redirect, 0), open(shell, target, 'read'));
      return;
    case '>':
      shell.descriptors.set(numberOf(redirect, 1), open(shell, target, outputMode(shell, target)));
      return;
    case '>|':
      shell.descriptors.set(numberOf(redirect, 1), open(shell, target, 'write'));
      return;
    case '>>':
      shell.descriptors.set(numberOf(redirect, 1), open(shell, target, 'append'));
      return;
    case '<>':
      shell.descriptors.set(numberOf(redirect, 0), open(shell, target, 'read-write'));
      return;
    case '<&':
      duplicate(shell, numberOf(redirect, 0), target);
      return;
    case '>&':
      if (/^\d+$|^-$/.test(target)) duplicate(shell, numberOf(redirect, 1), target);
      else both(shell, target, 'write');
      return;
    case '&>':
      both(shell, target, 'write');
      return;
    case '&>>':
      both(shell, target, 'append');
      return;
  }
}

function outputMode(shell: Shell, target: string): OpenMode {
  return shell.options.has('noclobber') && target !== '/dev/null' ? 'exclusive' : 'write';
}

function both(shell: Shell, target: string, mode: OpenMode): void {
  const file = open(shell, target, mode);
  shell.descriptors.set(1, file);
  shell.descriptors.set(2, file.retain());
}

function duplicate(shell: Shell, number: number, target: string): void {
  if (target === '-') {
    shell.descriptors.close(number);
    return;
  }
  const file = shell.descriptors.get(Number(target));
  if (file === undefined) throw new RedirectionError(`${target}: Bad file descriptor`);
  if (Number(target) !== number) shell.descriptors.set(number, file.retain());
}

function open(shell: Shell, target: string, mode: OpenMode): OpenFile {
  try {
    if (target === '') throw new FileError('ENOENT', target);
    return shell.open(target, mode);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new RedirectionError(`can't ${mode === 'read' ? 'open' : 'create'} ${target}: ${sentence(error, mode)}`);
  }
}

function sentence(error: FileError, mode: OpenMode): string {
  if (error.code !== 'ENOENT') return error.message;
  return mode === 'read' ? 'no such file' : 'nonexistent directory';
}
