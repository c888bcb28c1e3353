import { existsSync } from 'node:fs';
import { run } from './e2e/run-command.ts';

const ENVIRONMENT = { DEBIAN_FRONTEND: 'noninteractive' };
/** Test files run side by side; one waits for the other's installation. */
const LOCK_TIMEOUT = 'DPkg::Lock::Timeout=240';

/** Installs packages for a test; the reason why not where this is no Debian, not root, or apt-get fails. */
export async function installDebianPackages(packages: readonly string[]): Promise<{ reason: string } | undefined> {
  const names = packages.join(' ');
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    return { reason: `${names} cannot be installed without root on Debian` };
  }
  await run('apt-get', ['update', '-qq', '-o', LOCK_TIMEOUT], { env: ENVIRONMENT, timeoutMs: 300_000 });
  const result = await run(
    'apt-get',
    ['install', '-y', '-qq', '-o', LOCK_TIMEOUT, '--no-install-recommends', ...packages],
    { env: ENVIRONMENT, timeoutMs: 600_000 },
  );
  return result.code === 0 ? undefined : { reason: `apt-get install ${names} failed: ${result.stderr.trim()}` };
}
