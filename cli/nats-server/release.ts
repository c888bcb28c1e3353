/** nats-server from the project's release page, its checksum verified before anything is unpacked. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lastLine, runCommand } from './command.ts';
import { executable, type FetchContext, type FetchOutcome, keepProgram } from './program-file.ts';

const VERSION = 'v2.10.22';
const RELEASES_URL = 'https://github.com/nats-io/nats-server/releases/download';
const DOWNLOAD_LIMIT_MS = 120_000;

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm7', ia32: '386' };

/** `PODWIRE_NATS_RELEASE_URL` names a mirror with the same layout. */
export async function downloadRelease(
  { folder, report }: FetchContext,
  baseUrl: string = process.env.PODWIRE_NATS_RELEASE_URL ?? RELEASES_URL,
): Promise<FetchOutcome> {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined || !['linux', 'darwin'].includes(process.platform)) {
    return { failure: `there is no release for ${process.platform} on ${process.arch}` };
  }
  const name = `nats-server-${VERSION}-${process.platform}-${architecture}`;
  const url = `${baseUrl}/${VERSION}/${name}.tar.gz`;
  report(`downloading ${url}`);
  const [archive, sums] = await Promise.all([download(url), download(`${baseUrl}/${VERSION}/SHA256SUMS`)]);
  if (!Buffer.isBuffer(archive)) return { failure: archive.failure };
  if (!Buffer.isBuffer(sums)) return { failure: sums.failure };
  const expected = checksumOf(`${name}.tar.gz`, sums.toString('utf8'));
  const actual = createHash('sha256').update(archive).digest('hex');
  if (expected !== actual) {
    return { failure: `${url} has the checksum ${actual}, but SHA256SUMS says ${expected ?? 'nothing of it'}` };
  }
  return unpack(archive, name, folder);
}

async function download(url: string): Promise<Buffer | { failure: string }> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(DOWNLOAD_LIMIT_MS) });
    if (!response.ok) return { failure: `${url} answered ${response.status}` };
    return Buffer.from(await response.arrayBuffer());
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    return { failure: `${url} cannot be reached: ${cause}` };
  }
}

/** Lines of `<sha256>  <file>`. */
function checksumOf(file: string, sums: string): string | undefined {
  for (const line of sums.split('\n')) {
    const [sum, name] = line.trim().split(/\s+\*?/);
    if (name === file) return sum?.toLowerCase();
  }
  return undefined;
}

async function unpack(archive: Buffer, name: string, folder: string): Promise<FetchOutcome> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(folder, 'release-'));
  try {
    writeFileSync(join(work, 'archive.tar.gz'), archive);
    const outcome = await runCommand('tar', ['-xzf', 'archive.tar.gz'], { cwd: work });
    const program = join(work, name, 'nats-server');
    if (executable(program) === undefined) return { failure: `tar gave no program: ${lastLine(outcome.output)}` };
    chmodSync(program, 0o755);
    return { path: keepProgram(program, folder) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
