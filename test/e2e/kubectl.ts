/** A real kubectl: the machine's own, or one that the platform's packages install; else the reason why there is none. */
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { installDebianPackages } from '../debian-packages.ts';

export type KubectlOutcome = { readonly path: string } | { readonly reason: string };

export async function findKubectl(): Promise<KubectlOutcome> {
  const present = await onPath('kubectl');
  if (present !== undefined) return { path: present };
  const failure = await installDebianPackages(['kubernetes-client']);
  const installed = await onPath('kubectl');
  if (installed !== undefined) return { path: installed };
  return { reason: `kubectl is not on PATH: ${failure?.reason ?? 'the package kubernetes-client brought none'}` };
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
