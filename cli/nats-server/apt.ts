/** nats-server from Debian's or Ubuntu's archive: installed when we are root, else unpacked into the cache folder. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lastLine, runCommand } from './command.ts';
import { executable, type FetchContext, type FetchOutcome, keepProgram } from './program-file.ts';

const PACKAGE = 'nats-server';
const QUIET = { DEBIAN_FRONTEND: 'noninteractive' };
/** Another installation, a second first start among them, is waited for. */
const LOCK_TIMEOUT = 'DPkg::Lock::Timeout=120';

export async function installWithApt(context: FetchContext): Promise<FetchOutcome> {
  if (executable('/usr/bin/apt-get') === undefined) return { failure: 'this system has no apt-get' };
  return process.getuid?.() === 0 ? installAsRoot(context) : unpackAsUser(context);
}

async function installAsRoot({ report }: FetchContext): Promise<FetchOutcome> {
  report(`installing ${PACKAGE} with apt-get`);
  const install = () =>
    runCommand('apt-get', ['install', '-y', '-q', '-o', LOCK_TIMEOUT, '--no-install-recommends', PACKAGE], {
      environment: QUIET,
    });
  let outcome = await install();
  if (!outcome.ok) {
    // A fresh machine has no package lists yet.
    await runCommand('apt-get', ['update', '-q'], { environment: QUIET });
    outcome = await install();
  }
  if (!outcome.ok) return { failure: `apt-get install ${PACKAGE} failed: ${lastLine(outcome.output)}` };
  const path = executable('/usr/sbin/nats-server') ?? executable('/usr/bin/nats-server');
  return path === undefined ? { failure: `the package ${PACKAGE} brought no nats-server` } : { path };
}

async function unpackAsUser({ folder, report }: FetchContext): Promise<FetchOutcome> {
  report(`fetching ${PACKAGE} with apt-get download`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const work = mkdtempSync(join(folder, 'apt-'));
  try {
    let download = await runCommand('apt-get', ['download', PACKAGE], { cwd: work });
    if (!download.ok) download = await downloadWithOwnLists(work);
    const archive = readdirSync(work).find((name) => name.endsWith('.deb'));
    if (archive === undefined) return { failure: `apt-get download ${PACKAGE} failed: ${lastLine(download.output)}` };
    const unpack = await runCommand('dpkg', ['-x', archive, 'unpacked'], { cwd: work });
    const program =
      executable(join(work, 'unpacked/usr/sbin/nats-server')) ?? executable(join(work, 'unpacked/usr/bin/nats-server'));
    if (program === undefined) return { failure: `dpkg -x ${archive} gave no program: ${lastLine(unpack.output)}` };
    return { path: keepProgram(program, folder) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Package lists that this user may write, where the system's are missing. */
async function downloadWithOwnLists(work: string) {
  const state = join(work, 'state');
  mkdirSync(join(state, 'lists/partial'), { recursive: true });
  mkdirSync(join(work, 'cache/archives/partial'), { recursive: true });
  const options = ['-o', `Dir::State::Lists=${join(state, 'lists')}`, '-o', `Dir::Cache=${join(work, 'cache')}`];
  const update = await runCommand('apt-get', [...options, 'update', '-q'], { cwd: work });
  return update.ok ? runCommand('apt-get', [...options, 'download', PACKAGE], { cwd: work }) : update;
}
