/** Runs commands in a container of given programs, for tests: output gathered, network of the test's choice. */
import { PassThrough } from 'node:stream';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { COREUTILS } from './coreutils/toolset.ts';
import type { Image, KernelView, Program } from './image.ts';
import type { ProcessTable } from './process.ts';
import { pause, readAll, write } from './program-io.ts';
import { type RunningContainer, startContainer, type VolumeMount } from './runtime.ts';

/** Fails on every call: for tests that need no network. */
export const noNetwork: PodNetwork = {
  connectTcp: () => Promise.reject(new Error('no network in this test')),
  listenTcp: () => Promise.reject(new Error('no network in this test')),
  bindUdp: () => Promise.reject(new Error('no network in this test')),
  ping: () => Promise.reject(new Error('no network in this test')),
  addresses: async () => [],
  close: () => undefined,
};

const idle: Program = async (context) => {
  await pause(Number.POSITIVE_INFINITY, context.signal);
  return 0;
};

export interface TestContainerOptions {
  readonly network?: PodNetwork;
  readonly kernel?: KernelView;
  readonly programs?: Readonly<Record<string, Program>>;
  readonly image?: Image;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly etcHosts?: string;
  readonly resolvConf?: string;
  readonly mounts?: readonly VolumeMount[];
  readonly hostname?: string;
  readonly stdin?: boolean;
  readonly processes?: ProcessTable;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface TestContainer {
  readonly container: RunningContainer;
  /** What the main process wrote. */
  readonly log: () => string;
  /** Resolves once the log matches. */
  waitForLog(expression: RegExp): Promise<void>;
  run(command: readonly string[], stdin?: string): Promise<CommandResult>;
  sh(script: string, stdin?: string): Promise<CommandResult>;
}

export function startTestContainer(options: TestContainerOptions = {}): TestContainer {
  let log = '';
  const watchers = new Set<() => void>();
  const image = options.image ?? {
    repositories: ['test'],
    defaultCommand: ['idle'],
    programs: { idle, bash: COREUTILS.sh ?? idle, ...COREUTILS, ...options.programs },
  };
  const container = startContainer({
    image,
    command: options.command,
    args: options.args,
    environment: options.environment ?? {},
    processes: options.processes,
    podName: 'client',
    namespace: 'default',
    hostname: options.hostname ?? 'client',
    containerName: 'main',
    nodeName: 'worker-1',
    network: options.network ?? noNetwork,
    kernel: options.kernel,
    etcHosts: options.etcHosts ?? '127.0.0.1\tlocalhost\n',
    resolvConf:
      options.resolvConf ??
      'nameserver 10.96.0.10\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n',
    mounts: options.mounts,
    stdin: options.stdin,
    onOutput: (_stream, data) => {
      log += Buffer.from(data).toString();
      for (const watcher of watchers) watcher();
    },
  });
  const run = async (command: readonly string[], stdin = ''): Promise<CommandResult> => {
    const [input, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const code = container.exec(command, { stdin: input, stdout, stderr });
    if (stdin !== '') void write(input, stdin).then(() => input.end());
    else input.end();
    void code.then(
      () => {
        stdout.end();
        stderr.end();
      },
      () => {
        stdout.end();
        stderr.end();
      },
    );
    const [out, error] = await Promise.all([readAll(stdout), readAll(stderr)]);
    return { stdout: out.toString(), stderr: error.toString(), code: await code };
  };
  return {
    container,
    log: () => log,
    waitForLog: (expression) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!expression.test(log)) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      }),
    run,
    sh: (script, stdin) => run(['sh', '-c', script], stdin),
  };
}
