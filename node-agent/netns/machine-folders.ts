/** The machine's mounted folders that an overlay over its root does not show by itself. */
import { readFileSync } from 'node:fs';
import type { Bind } from './container-script.ts';

/** What every container has of its own, or must not have. */
const OWN = /^\/(proc|sys|dev|run|tmp|boot|var\/run)(\/|$)/;

/** From `/proc/self/mountinfo` (proc_pid_mountinfo(5)): folders on other file systems, such as /home or /nix, outer ones first. */
export function foldersOf(mountinfo: string): string[] {
  const folders = mountinfo
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
    .filter((path) => path.startsWith('/') && path !== '/' && !OWN.test(path));
  return [...new Set(folders)].sort((a, b) => a.length - b.length);
}

/** Read-only: what a container writes stays in it. */
export function machineFolders(isFolder: (path: string) => boolean): Bind[] {
  return foldersOf(readFileSync('/proc/self/mountinfo', 'utf8'))
    .filter(isFolder)
    .map((path) => ({ source: path, target: path, readOnly: true }));
}

function unescapeOctal(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
