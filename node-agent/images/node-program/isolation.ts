/**
 * A network namespace without interfaces round a program's process, where the machine lets one be made: whatever native code
 * does, it reaches nothing but the pod's Unix socket. Without root a user namespace makes it possible; where neither is, native
 * code is refused instead (`inside/machine-facts.ts`).
 */
import { execFile } from 'node:child_process';

const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Words before a command that isolate it and end it with its parent; `isolated` says whether the first is so. */
export interface Isolation {
  readonly prefix: readonly string[];
  readonly isolated: boolean;
}

let found: Promise<Isolation> | undefined;

/** Tried once: what the machine allows does not change. */
export function isolation(): Promise<Isolation> {
  found ??= findIsolation();
  return found;
}

async function findIsolation(): Promise<Isolation> {
  if (process.platform !== 'linux') return { prefix: [], isolated: false };
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user'];
  const namespaces = ['unshare', ...user, '--net', '--'];
  const endWithParent = ['setpriv', '--pdeathsig', 'KILL', '--'];
  const candidates: readonly (readonly string[])[] = [[...namespaces, ...endWithParent], namespaces, endWithParent];
  for (const words of candidates) {
    const prefix = ['/usr/bin/env', `PATH=${SEARCH_PATH}`, ...words];
    if (await succeeds([...prefix, 'true'])) return { prefix: words, isolated: words[0] === 'unshare' };
  }
  return { prefix: [], isolated: false };
}

function succeeds([file = '', ...args]: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => execFile(file, args, (error) => resolve(error === null)));
}
