/** A real kubectl: the machine's own, or one that the platform's packages install; else the reason why there is none. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { run } from './run-command.ts';

export type KubectlOutcome = { readonly path: string } | { readonly reason: string };

export async function findKubectl(): Promise<KubectlOutcome> {
  const present = await onPath('kubectl');
  if (present !== undefined) return { path: present };
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || (await onPath('apt-get')) === undefined) {
    return { reason: 'kubectl is not on PATH and cannot be installed without root on Debian' };
  }
  const environment = { DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get', ['update', '-qq'], { env: environment, timeoutMs: 180_000 });
  const result = await run('apt-get', ['install', '-y', '-qq', 'kubernetes-client'], {
    env: environment,
    timeoutMs: 300_000,
  });
  const installed = await onPath('kubectl');
  return installed === undefined
    ? { reason: `apt-get install kubernetes-client failed: ${result.stderr.trim()}` }
    : { path: installed };
}

async function onPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, program);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }
  return undefined;
}
