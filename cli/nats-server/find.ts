/**
 * Where nats-server comes from, in this order: a server of the user's own ($NATS_URL), a program on PATH, one that was
 * fetched before, the system's package manager, the project's release page. Each step that fails says what it tried.
 */
import { delimiter, join } from 'node:path';
import { messageOf, UserError } from '../user-error.ts';
import { installWithApt } from './apt.ts';
import { installWithBrew } from './brew.ts';
import { executable, type FetchContext, type FetchOutcome, fetchedProgram } from './program-file.ts';
import { downloadRelease } from './release.ts';

export type NatsSource =
  | { readonly kind: 'external'; readonly url: string; readonly token: string | undefined }
  | { readonly kind: 'program'; readonly path: string };

export interface FetchStep {
  readonly name: string;
  fetch(context: FetchContext): Promise<FetchOutcome>;
}

const FETCH_STEPS: readonly FetchStep[] = [
  { name: 'apt', fetch: installWithApt },
  { name: 'Homebrew', fetch: installWithBrew },
  { name: 'release download', fetch: downloadRelease },
];

/** Where distributions put servers, which is not on every user's PATH. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/usr/local/bin', '/usr/bin', '/opt/homebrew/bin'];

export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Searched after PATH. */
  readonly systemFolders: readonly string[];
  readonly steps: readonly FetchStep[];
}

const THIS_MACHINE: Surroundings = {
  environment: process.env,
  systemFolders: SYSTEM_FOLDERS,
  steps: FETCH_STEPS,
};

/** Throws a UserError that lists all attempts when there is no way to a server. */
export async function findNatsServer(
  context: FetchContext,
  { environment, systemFolders, steps }: Surroundings = THIS_MACHINE,
): Promise<NatsSource> {
  if (environment.NATS_URL) return { kind: 'external', url: environment.NATS_URL, token: environment.NATS_TOKEN };
  const installed =
    findInFolders([...(environment.PATH ?? '').split(delimiter), ...systemFolders]) ??
    executable(fetchedProgram(context.folder));
  if (installed !== undefined) return { kind: 'program', path: installed };

  const failures = ['PATH: no nats-server', `${context.folder}: nothing fetched before`];
  for (const { name, fetch } of steps) {
    const outcome = await attempt(() => fetch(context));
    if ('path' in outcome) return { kind: 'program', path: outcome.path };
    failures.push(`${name}: ${outcome.failure}`);
  }
  throw new UserError(
    `nats-server is needed and could not be had:\n${failures.map((failure) => `  - ${failure}`).join('\n')}\n` +
      'Install it (https://nats.io/download), or set NATS_URL (and NATS_TOKEN) to a server with JetStream.',
  );
}

async function attempt(fetch: () => Promise<FetchOutcome>): Promise<FetchOutcome> {
  try {
    return await fetch();
  } catch (error) {
    return { failure: messageOf(error) };
  }
}

function findInFolders(folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const program = folder === '' ? undefined : executable(join(folder, 'nats-server'));
    if (program !== undefined) return program;
  }
  return undefined;
}
