/** Processes of a cluster, started as `podwire up` starts them, for benchmarks of one of them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { cacheFolder } from '../cli/cluster-folder.ts';
import { programFile } from '../cli/supervisor/program-file.ts';
import { nodeOptions, type ProcessName } from '../shared/runtime/entry-point.ts';
import type { TestNatsServer } from '../test/contract/nats-server.ts';

export interface ComponentProcess {
  readonly program: ProcessName;
  readonly nats: TestNatsServer;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** The processor that it is pinned to. */
  readonly core?: number;
}

/** Resolves when it is ready. */
export async function startComponent(options: ComponentProcess): Promise<ChildProcess> {
  const { program, nats, environment, core } = options;
  const file = await programFile(program, () => undefined);
  const command = [process.execPath, ...nodeOptions(program), file, ...(options.arguments ?? [])];
  const [first = '', ...rest] = core === undefined ? command : ['taskset', '-c', String(core), ...command];
  const child = spawn(first, rest, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: join(cacheFolder(), 'compiled'),
      MALLOC_ARENA_MAX: '1',
      PODWIRE_CLUSTER: 'bench',
      PODWIRE_NATS_URL: nats.url,
      PODWIRE_NATS_TOKEN: nats.token,
      ...environment,
    },
  });
  await once(child, 'message');
  return child;
}

export function startApiServer(nats: TestNatsServer, folder: string, port: number): Promise<ChildProcess> {
  return startComponent({
    program: 'apiserver',
    nats,
    environment: {
      PODWIRE_STATE_DIR: folder,
      PODWIRE_API_PORT: String(port),
      PODWIRE_API_PKI_DIR: join(folder, 'pki'),
    },
  });
}
