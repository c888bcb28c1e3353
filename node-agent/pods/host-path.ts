/** Folders of the machine that hostPath volumes may be: only those that `podwire up --allow-host-path` names, and what is in them. */
import { realpathSync } from 'node:fs';
import { sep } from 'node:path';

/** The folder behind `path` with its links followed, when it lies in one of `allowed`; undefined otherwise. */
export function allowedFolder(path: string, allowed: readonly string[]): string | undefined {
  const real = realPath(path);
  if (real === undefined) return undefined;
  return allowed.some((folder) => {
    const within = realPath(folder);
    return within !== undefined && (real === within || real.startsWith(within.endsWith(sep) ? within : within + sep));
  })
    ? real
    : undefined;
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
