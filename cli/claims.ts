/**
 * Ports and address blocks that clusters of this user hold, from the moment they are chosen: two starts at the same time
 * choose differently, and what a killed node leaves unbound stays its cluster's. A claim is a file with the pid of the
 * supervisor; it ends with that process.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { systemErrorCode } from './user-error.ts';

/** Takes `tcp-6443` or `block-1` for this process; false when another one has it. */
export type Claim = (resource: string) => boolean;

export function claimsFolder(): string {
  return join(tmpdir(), `podwire-${userName()}`);
}

/** In a container the user may be a mere number. */
function userName(): string {
  try {
    return userInfo().username;
  } catch (error) {
    if (systemErrorCode(error) !== 'ERR_SYSTEM_ERROR') throw error;
    return `user-${process.getuid?.()}`;
  }
}

export function createClaim(folder = claimsFolder(), pid = process.pid): Claim {
  return (resource) => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, resource);
    if (writeNew(path, pid)) return true;
    const holder = readHolder(path);
    if (holder === pid) return true;
    if (holder !== undefined && isAlive(holder)) return false;
    rmSync(path, { force: true });
    return writeNew(path, pid);
  };
}

function writeNew(path: string, pid: number): boolean {
  try {
    writeFileSync(path, String(pid), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function readHolder(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Signal 0 asks whether the process exists; one of another user's does when it may not be signalled. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}
