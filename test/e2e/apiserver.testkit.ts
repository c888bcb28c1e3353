/** An apiserver process on a nats-server of its own, and a kubectl that talks to it: nothing else of a cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { freePort, startNatsServer, type TestNatsServer } from '../contract/nats-server.ts';
import { findKubectl } from './kubectl.ts';
import type { CommandResult } from './run-command.ts';

const MAIN = resolve(import.meta.dirname, '../../services/apiserver/main.ts');
export const TEST_CLUSTER = 'apiserver-test';

export class TestApiServer {
  readonly nats: TestNatsServer;
  readonly folder: string;
  readonly port: number;
  readonly kubectlPath: string;
  private child: ChildProcess | undefined;
  private output = '';

  private constructor(nats: TestNatsServer, port: number, kubectlPath: string) {
    this.nats = nats;
    this.port = port;
    this.kubectlPath = kubectlPath;
    this.folder = mkdtempSync(join(tmpdir(), 'podwire-api-'));
  }

  /** Undefined, with the reason printed, on a machine that cannot have a kubectl. */
  static async start(): Promise<TestApiServer | undefined> {
    const kubectl = await findKubectl();
    if ('reason' in kubectl) {
      console.log(`skipped: ${kubectl.reason}`);
      return undefined;
    }
    const server = new TestApiServer(await startNatsServer(), await freePort(), kubectl.path);
    await server.startProcess();
    return server;
  }

  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig');
  }

  /** What the process has written to its log. */
  get log(): string {
    return this.output;
  }

  /** Resolves when the process says that it is ready. */
  async startProcess(): Promise<void> {
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        PODWIRE_CLUSTER: TEST_CLUSTER,
        PODWIRE_NATS_URL: this.nats.url,
        PODWIRE_NATS_TOKEN: this.nats.token,
        PODWIRE_STATE_DIR: this.folder,
        PODWIRE_API_PORT: String(this.port),
        PODWIRE_API_PKI_DIR: join(this.folder, 'pki'),
      },
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString('utf8');
      });
    }
    const ended = once(child, 'exit').then(() => 'ended' as const);
    const first = await Promise.race([once(child, 'message'), ended]);
    if (first === 'ended') throw new Error(`the apiserver ended:\n${this.output}`);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.child === undefined) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
    this.child = undefined;
  }

  async stop(): Promise<void> {
    await this.kill();
    await this.nats.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** A running kubectl; its output is collected by the caller. */
  spawnKubectl(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    return spawn(this.kubectlPath, [...args], {
      env: { ...process.env, KUBECONFIG: this.kubeconfig, HOME: this.folder, ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  async kubectl(
    args: readonly string[],
    input = '',
    environment: Readonly<Record<string, string>> = {},
  ): Promise<CommandResult> {
    const child = this.spawnKubectl(args, environment);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (data) => {
      stdout += data;
    });
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    // A kubectl that ends before it has read everything is no failure of the test.
    child.stdin?.on('error', () => child.stdin?.destroy());
    child.stdin?.end(input);
    const [code] = await once(child, 'close');
    return { code: typeof code === 'number' ? code : 128, stdout, stderr };
  }
}
