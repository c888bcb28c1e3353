import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

/** Resident memory in bytes of those processes that exist, by pid. */
export async function residentMemory(pids: readonly number[]): Promise<Map<number, number>> {
  return process.platform === 'linux' ? fromProc(pids) : fromPs(pids);
}

function fromProc(pids: readonly number[]): Map<number, number> {
  const found = new Map<number, number>();
  for (const pid of pids) {
    try {
      const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      if (kibibytes !== undefined) found.set(pid, Number(kibibytes) * 1024);
    } catch (error) {
      // It ended in the meantime.
      if (!(error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')))
        throw error;
    }
  }
  return found;
}

async function fromPs(pids: readonly number[]): Promise<Map<number, number>> {
  const found = new Map<number, number>();
  if (pids.length === 0) return found;
  // ps exits with 1 when one of them is gone, and prints the others all the same.
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=,rss=', '-p', pids.join(',')]).catch(
    (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
  );
  for (const line of stdout.trim().split('\n')) {
    const [pid, kibibytes] = line.trim().split(/\s+/).map(Number);
    if (pid !== undefined && kibibytes !== undefined) found.set(pid, kibibytes * 1024);
  }
  return found;
}
