/**
 * Other kubectls than the machine's first one: those beside it (Google's packages bring several), Debian's own, and what
 * `$PODWIRE_TEST_KUBECTLS` lists (paths, colons between).
 */
import { existsSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../run-command.ts';

export interface KubectlVersion {
  readonly path: string;
  /** `1.27` */
  readonly minor: string;
}

/** Of the oldest and the newest minor version that can be had; one when there is only one. `folder` is for what is unpacked. */
export async function oldestAndNewest(kubectl: string, folder: string): Promise<KubectlVersion[]> {
  const listed = (process.env.PODWIRE_TEST_KUBECTLS ?? '').split(':').filter((path) => path !== '');
  const candidates = [kubectl, ...listed, ...siblings(kubectl), ...(await debianKubectl(folder))];
  const found = (await Promise.all(candidates.map(versionOf))).filter((version) => version !== undefined);
  found.sort((a, b) => minorNumber(a) - minorNumber(b));
  const [oldest, newest] = [found[0], found.at(-1)];
  return [oldest, newest].filter(
    (version, index, all) => version !== undefined && all.indexOf(version) === index,
  ) as KubectlVersion[];
}

function minorNumber({ minor }: KubectlVersion): number {
  return Number(minor.split('.')[1]);
}

function siblings(kubectl: string): string[] {
  const folder = dirname(realpathSync(kubectl));
  return readdirSync(folder)
    .filter((name) => /^kubectl\.1\.\d+$/.test(name))
    .map((name) => join(folder, name));
}

/** Unpacked, not installed; empty where there is no Debian or no network. */
async function debianKubectl(folder: string): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const download = await run('apt-get', ['download', 'kubernetes-client'], { cwd: folder, timeoutMs: 60_000 });
  const [archive] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  if (download.code !== 0 || archive === undefined) return [];
  await run('dpkg-deb', ['-x', archive, '.'], { cwd: folder });
  const path = join(folder, 'usr/bin/kubectl');
  return existsSync(path) ? [path] : [];
}

async function versionOf(path: string): Promise<KubectlVersion | undefined> {
  const { stdout } = await run(path, ['version', '--client', '-o', 'json']);
  const minor = /"gitVersion": "v(1\.\d+)/.exec(stdout)?.[1];
  return minor === undefined ? undefined : { path, minor };
}
