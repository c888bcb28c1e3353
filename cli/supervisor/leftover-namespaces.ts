/** Network namespaces of nodes that were killed: their processes are gone, their names are not. */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { netnsFolder, nodesFolder } from '../../shared/runtime/node-folder.ts';
import { systemErrorCode } from '../user-error.ts';

/** Of a cluster whose processes have ended. Says what could not be removed. */
export function removeLeftoverNamespaces(state: string): string[] {
  const problems: string[] = [];
  for (const node of entriesOf(nodesFolder(state))) {
    const folder = netnsFolder(join(nodesFolder(state), node));
    for (const name of entriesOf(folder)) {
      try {
        removeNamespace(name);
        rmSync(join(folder, name), { recursive: true, force: true });
      } catch (error) {
        problems.push(`network namespace ${name}: ${String(error)}`);
      }
    }
  }
  return problems;
}

function removeNamespace(name: string): void {
  const present = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }).split('\n');
  if (present.some((line) => line.split(' ')[0] === name)) execFileSync('ip', ['netns', 'delete', name]);
  rmSync(join('/etc/netns', name), { recursive: true, force: true });
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
