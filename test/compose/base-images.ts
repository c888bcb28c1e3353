/**
 * The two base images that compose.yaml builds on. With a registry in reach they are the public ones; without one they
 * are made from what is at hand: a minimal Debian by debootstrap, this project's Node, and the machine's nats-server.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { run } from '../e2e/run-command.ts';
import type { DockerEngine } from './docker-engine.ts';

export interface BaseImages {
  readonly node: string;
  readonly nats: string;
}

const PUBLIC: BaseImages = { node: 'node:24-bookworm-slim', nats: 'nats:2.11-alpine' };
const OWN: BaseImages = { node: 'podwire-test/node:24', nats: 'podwire-test/nats:debian' };
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

/** Throws with the failing command's words when an image can be neither pulled nor made. */
export async function provideBaseImages(engine: DockerEngine, natsServerPath: string): Promise<BaseImages> {
  if (await pullable(engine)) return PUBLIC;
  const root = join(engine.folder, 'rootfs');
  await bootstrapDebian(root);
  copyNode(root);
  await importImage(engine, root, OWN.node, ['ENV PATH=/usr/local/bin:/usr/bin:/bin', ...certificateSettings(root)]);
  cpSync(natsServerPath, join(root, 'usr/local/bin/nats-server'), { dereference: true });
  await importImage(engine, root, OWN.nats, ['ENTRYPOINT ["nats-server"]']);
  return OWN;
}

async function pullable(engine: DockerEngine): Promise<boolean> {
  const pulls = await Promise.all(
    [PUBLIC.node, PUBLIC.nats].map((image) => engine.docker(['pull', '-q', image], { timeoutMs: 180_000 })),
  );
  return pulls.every(({ code }) => code === 0);
}

async function bootstrapDebian(root: string): Promise<void> {
  await mustRun('debootstrap', ['--variant=minbase', '--include=wget', 'bookworm', root, debianMirror()], 300_000);
}

/** The mirror this machine itself installs from. */
function debianMirror(): string {
  const sources = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'].filter((path) =>
    existsSync(path),
  );
  for (const path of sources) {
    const found = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s+(https?:\/\/\S+)/m.exec(readFileSync(path, 'utf8'));
    if (found?.[1] !== undefined) return found[1];
  }
  throw new Error(`no Debian mirror is named in ${sources.join(' or ') || "apt's sources"}`);
}

/** The Node that runs this test, and npm from beside it or from the system. */
function copyNode(root: string): void {
  cpSync(realpathSync(process.execPath), join(root, 'usr/local/bin/node'));
  const npm = [
    join(dirname(process.execPath), '../lib/node_modules/npm'),
    '/usr/lib/node_modules/npm',
    '/usr/share/nodejs/npm',
    '/usr/local/lib/node_modules/npm',
  ]
    .map((path) => resolve(path))
    .find((path) => existsSync(join(path, 'bin/npm-cli.js')));
  if (npm === undefined)
    throw new Error('npm is not where Node keeps it: cannot make a base image that installs packages');
  mkdirSync(join(root, 'usr/local/lib/node_modules'), { recursive: true });
  cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
  cpSync(join(import.meta.dirname, 'npm-launcher.sh'), join(root, 'usr/local/bin/npm'));
}

/** Certificates that this machine trusts beyond Debian's, so that a build in the image reaches what the machine reaches. */
function certificateSettings(root: string): string[] {
  if (!existsSync(CERTIFICATES)) return [];
  mkdirSync(join(root, dirname(CERTIFICATES)), { recursive: true });
  cpSync(CERTIFICATES, join(root, CERTIFICATES), { dereference: true });
  return [`ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES}`];
}

async function importImage(
  engine: DockerEngine,
  root: string,
  name: string,
  changes: readonly string[],
): Promise<void> {
  const archive = `${root}.tar`;
  await mustRun('tar', ['-C', root, '-cf', archive, '.'], 120_000);
  const imported = await engine.docker(['import', ...changes.flatMap((change) => ['--change', change]), archive, name]);
  if (imported.code !== 0) throw new Error(`docker import ${name}: ${imported.stderr.trim()}`);
}

async function mustRun(program: string, args: readonly string[], timeoutMs: number): Promise<void> {
  const result = await run(program, args, { timeoutMs });
  if (result.code !== 0)
    throw new Error(`${program} failed (${result.code}): ${(result.stderr || result.stdout).trim()}`);
}
