/** An apiserver process on a nats-server of its own, and a kubectl that talks to it: nothing else of a cluster. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, startNatsServer, type TestNatsServer } from '../contract/nats-server.ts';
import { ApiProcess } from './api-process.testkit.ts';
import { findKubectl } from './kubectl.ts';
import type { CommandResult } from './run-command.ts';

export class TestApiServer {
  readonly nats: TestNatsServer;
  readonly folder: string;
  readonly port: number;
  readonly kubectlPath: string;
  readonly process: ApiProcess;

  private constructor(
    nats: TestNatsServer,
    port: number,
    kubectlPath: string,
    environment: Readonly<Record<string, string>>,
  ) {
    this.nats = nats;
    this.port = port;
    this.kubectlPath = kubectlPath;
    this.folder = mkdtempSync(join(tmpdir(), 'podwire-api-'));
    this.process = new ApiProcess({ nats, folder: this.folder, port, environment });
  }

  /** Undefined, with the reason printed, on a machine that cannot have a kubectl. */
  static async start(environment: Readonly<Record<string, string>> = {}): Promise<TestApiServer | undefined> {
    const kubectl = await findKubectl();
    if ('reason' in kubectl) {
      console.log(`skipped: ${kubectl.reason}`);
      return undefined;
    }
    const server = new TestApiServer(await startNatsServer(), await freePort(), kubectl.path, environment);
    await server.startProcess();
    return server;
  }

  get kubeconfig(): string {
    return join(this.folder, 'kubeconfig');
  }

  /** What the process has written to its log. */
  get log(): string {
    return this.process.log;
  }

  /** Resolves when the process says that it is ready. */
  async startProcess(): Promise<void> {
    await this.process.start();
  }

  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void> {
    return this.process.kill();
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
