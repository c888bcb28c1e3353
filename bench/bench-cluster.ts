/** A real cluster for as long as a benchmark needs it, in a folder of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type ApiEndpoint, ApiLoad } from './api-load.ts';
import { endpointOf, type Podwire } from './cluster-process.ts';

const execFileAsync = promisify(execFile);
const MAIN = resolve(import.meta.dirname, '../cli/main.ts');
const NAME = 'bench';

export interface BenchCluster {
  readonly podwire: Podwire;
  readonly endpoint: ApiEndpoint;
  readonly load: ApiLoad;
}

/** `podwire up` with these arguments; it is gone when `use` has resolved or rejected. */
export async function withCluster<T>(
  upArguments: readonly string[],
  use: (cluster: BenchCluster) => Promise<T>,
): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
  const podwire: Podwire = (...args) =>
    execFileAsync(process.execPath, [MAIN, ...args, '--name', NAME], { env: { ...process.env, PODWIRE_HOME: home } });
  try {
    await podwire('up', '--detach', ...upArguments);
    try {
      const endpoint = endpointOf(join(home, NAME), JSON.parse((await podwire('status', '-o', 'json')).stdout));
      const load = new ApiLoad(endpoint);
      try {
        return await use({ podwire, endpoint, load });
      } finally {
        load.close();
      }
    } finally {
      await podwire('down');
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** A pod that runs a Node program on a node that is chosen; its label `app` is its name. */
export function nodePod(name: string, nodeName: string, command: readonly string[]): string {
  const containers = [{ name: 'main', image: 'node', command }];
  const spec = { nodeName, terminationGracePeriodSeconds: 1, containers };
  return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: { app: name } }, spec });
}
