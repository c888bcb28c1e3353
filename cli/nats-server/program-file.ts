/** The program's file: where a fetched one is kept, and what a step that fetches it is given and gives. */
import { accessSync, constants, copyFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';

export interface FetchContext {
  /** Where fetched programs are kept. */
  readonly folder: string;
  readonly report: (text: string) => void;
}

/** A step's program, or why it has none. */
export type FetchOutcome = { readonly path: string } | { readonly failure: string };

export function fetchedProgram(folder: string): string {
  return join(folder, 'nats-server');
}

export function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

/** Moves a program to its place in one step, so that a start at the same time never sees half of it. */
export function keepProgram(program: string, folder: string): string {
  const path = fetchedProgram(folder);
  const draft = `${path}.${process.pid}`;
  copyFileSync(program, draft);
  renameSync(draft, path);
  return path;
}
