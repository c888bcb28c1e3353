/** Unmodified programs in two pods of one wire: sources are bundled with what they import, as a configMap would hold them. */
import { build } from 'esbuild';
import type { PodPair } from '../../../shared/podnet/pod-pair.testkit.ts';
import { startImage, testPods } from '../catalogue/pods.testkit.ts';
import type { TestContainer } from '../container.testkit.ts';
import { projectedVolume } from '../files/volume.ts';
import type { VolumeMount } from '../runtime.ts';

const PROJECT = new URL('../../../', import.meta.url).pathname;

/** One CommonJS file of a program and all that it requires. */
export async function bundled(source: string): Promise<Uint8Array> {
  const result = await build({
    stdin: { contents: source, resolveDir: PROJECT, loader: 'js' },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    logLevel: 'error',
    external: ['bufferutil', 'utf-8-validate'],
  });
  return result.outputFiles[0]?.contents ?? new Uint8Array(0);
}

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly mounts?: readonly VolumeMount[];
  /** More files beside /app/main.js. */
  readonly files?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** Names by which the pods know each other. */
export const HOSTS = '127.0.0.1\tlocalhost\n10.244.1.2\tserver\n10.244.1.3\tclient\n';

export class ProgramPods {
  readonly pods: PodPair = testPods();

  /** A program in the pod `server` (10.244.1.2). */
  server(source: string | Uint8Array, options?: ProgramOptions): TestContainer {
    return this.start('left', source, options);
  }

  /** One in the pod `client` (10.244.1.3). */
  client(source: string | Uint8Array, options?: ProgramOptions): TestContainer {
    return this.start('right', source, options);
  }

  /** What a client wrote, once it has ended well. */
  async outputOf(source: string | Uint8Array, options?: ProgramOptions): Promise<string> {
    const program = this.client(source, options);
    const { exitCode } = await program.container.ended;
    if (exitCode !== 0) throw new Error(`the program ended with ${exitCode}:\n${program.log()}`);
    return program.log();
  }

  private start(side: 'left' | 'right', source: string | Uint8Array, options: ProgramOptions = {}): TestContainer {
    const files = { 'main.js': source, ...options.files };
    const app = projectedVolume(
      Object.fromEntries(Object.entries(files).map(([name, content]) => [name, { bytes: Buffer.from(content) }])),
    );
    return startImage('node:24-alpine', {
      network: this.pods[side],
      hostname: side === 'left' ? 'server' : 'client',
      command: ['node', '/app/main.js', ...(options.args ?? [])],
      environment: options.environment,
      etcHosts: HOSTS,
      resolvConf: 'nameserver 10.244.1.2\noptions timeout:1 attempts:1\n',
      mounts: [{ path: '/app', volume: app, readOnly: true }, ...(options.mounts ?? [])],
    });
  }
}
