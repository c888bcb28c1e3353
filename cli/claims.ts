/**
 * Ports and address blocks that clusters of this user hold, from the moment they are chosen: two starts at the same time
 * choose differently, and what a killed node leaves unbound stays its cluster's. A claim is a file with the pid of the
 * supervisor; it ends with that process.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
    if (takeNew(path, pid)) return true;
    const holder = readHolder(path);
    if (holder === pid) return true;
    if (isHeld(holder)) return false;
    return takeAway(path, pid) && takeNew(path, pid);
  };
}

/** Whole or not at all: a file that is still empty would look like nobody's. */
function takeNew(path: string, pid: number): boolean {
  const draft = `${path}.new-${pid}`;
  writeFileSync(draft, String(pid), { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

/** Of several that find a claim nobody's any more one gets it; false when it has come to be somebody's meanwhile. */
function takeAway(path: string, pid: number): boolean {
  const old = `${path}.old-${pid}`;
  try {
    renameSync(path, old);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return true;
    throw error;
  }
  const isFree = !isHeld(readHolder(old));
  if (isFree) rmSync(old);
  else renameSync(old, path);
  return isFree;
}

function isHeld(holder: number | undefined): boolean {
  return holder !== undefined && isAlive(holder);
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
