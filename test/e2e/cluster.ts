/**
 * A cluster of real processes for one test file: its own PODWIRE_HOME in a temporary folder, started by the CLI as a user
 * would, always taken down again.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { waitFor } from '../wait-for.ts';
import { findKubectl } from './kubectl.ts';
import { type CommandResult, run } from './run-command.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const NAME = 'e2e';
const UP_LIMIT_MS = 180_000;
/** Of the commands of a whole document: just within a test's own. */
const SHELL_LIMIT_MS = 170_000;

export interface ClusterOptions {
  /** 3 by default. */
  readonly nodes?: number;
  /**
   * Nodes that die are seen within seconds. Else they may be silent for as long as in the original: a machine with too much
   * to do must not have the pods of a test evicted.
   */
  readonly nodesDie?: boolean;
  /** More arguments of `podwire up`. */
  readonly arguments?: readonly string[];
}

export interface KubectlOptions {
  /** Fed to its standard input. */
  readonly input?: string;
  readonly timeoutMs?: number;
}

export class TestCluster {
  readonly home: string;
  readonly kubectlPath: string;

  private constructor(home: string, kubectlPath: string) {
    this.home = home;
    this.kubectlPath = kubectlPath;
  }

  /** Undefined, with the reason printed, on a machine that cannot have a kubectl. */
  static async start(options: ClusterOptions = {}): Promise<TestCluster | undefined> {
    const kubectl = await findKubectl();
    if ('reason' in kubectl) {
      console.log(`skipped: ${kubectl.reason}`);
      return undefined;
    }
    const cluster = new TestCluster(mkdtempSync(join(tmpdir(), 'pw-')), kubectl.path);
    const nodes = String(options.nodes ?? 3);
    const timing = options.nodesDie === true ? 'lab' : 'kubernetes';
    const more = options.arguments ?? [];
    const up = await cluster.podwire(['up', '--detach', '--nodes', nodes, '--timing', timing, ...more]);
    if (up.code !== 0) {
      const logs = cluster.logTails();
      await cluster.down();
      throw new Error(`podwire up failed:\n${up.stdout}\n${up.stderr}\n${logs}`);
    }
    return cluster;
  }

  /** Environment variables by which a kubectl finds the cluster. */
  get variables(): Record<string, string> {
    return { KUBECONFIG: join(this.home, NAME, 'kubeconfig'), HOME: this.home };
  }

  /** Paths of the API server's certificate and key, in PEM. */
  get servingCertificate(): { readonly certificate: string; readonly key: string } {
    const folder = join(this.home, NAME, 'pki');
    return { certificate: join(folder, 'apiserver.crt'), key: join(folder, 'apiserver.key') };
  }

  podwire(args: readonly string[]): Promise<CommandResult> {
    return run(process.execPath, [join(ROOT, 'cli/main.ts'), ...args], {
      env: { PODWIRE_HOME: this.home, PODWIRE_CLUSTER: NAME },
      timeoutMs: UP_LIMIT_MS,
    });
  }

  /** A script of bash in the project's folder, whose podwire means this cluster. */
  shell(script: string): Promise<CommandResult> {
    const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
    const env = { PATH, PODWIRE_HOME: this.home, PODWIRE_CLUSTER: NAME };
    return run('bash', ['-c', script], { cwd: ROOT, env, timeoutMs: SHELL_LIMIT_MS });
  }

  kubectl(args: readonly string[], options: KubectlOptions = {}): Promise<CommandResult> {
    const env = this.variables;
    if (options.input === undefined) return run(this.kubectlPath, args, { env, timeoutMs: options.timeoutMs });
    return runWithInput(this.kubectlPath, args, { ...process.env, ...env }, options.input);
  }

  /** A kubectl that goes on until it is killed: port-forward, attach. */
  spawnKubectl(args: readonly string[]): ChildProcess {
    return spawn(this.kubectlPath, [...args], { env: { ...process.env, ...this.variables }, stdio: 'pipe' });
  }

  /** Standard output of a kubectl call that must succeed. */
  async kubectlOut(args: readonly string[], options: KubectlOptions = {}): Promise<string> {
    const result = await this.kubectl(args, options);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')} exited with ${result.code}:\n${result.stderr}`);
    return result.stdout;
  }

  apply(manifest: string): Promise<string> {
    return this.kubectlOut(['apply', '-f', '-'], { input: manifest });
  }

  /** Waits until a jsonpath of an object gives the text. */
  async waitForField(object: readonly string[], jsonpath: string, wanted: string, limitMs = 60_000): Promise<void> {
    let last = '';
    const what = `${object.join(' ')} ${jsonpath} to be ${wanted}`;
    try {
      await waitFor(
        what,
        async () => {
          const result = await this.kubectl(['get', ...object, '-o', `jsonpath=${jsonpath}`]);
          last = result.code === 0 ? result.stdout : result.stderr;
          return result.code === 0 && last === wanted;
        },
        limitMs,
      );
    } catch (error) {
      throw new Error(`${what}, but it is ${last}`, { cause: error });
    }
  }

  /** Stops everything and removes the folder. */
  async down(): Promise<void> {
    await this.podwire(['down']);
    rmSync(this.home, { recursive: true, force: true });
  }

  /** The end of every process' log, for failures. */
  logTails(lines = 15): string {
    const folder = join(this.home, NAME, 'logs');
    try {
      return readdirSync(folder)
        .map((name) => `--- ${name}\n${readFileSync(join(folder, name), 'utf8').split('\n').slice(-lines).join('\n')}`)
        .join('\n');
    } catch (error) {
      return `no logs: ${String(error)}`;
    }
  }
}

function runWithInput(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input: string,
): Promise<CommandResult> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(program, [...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
    });
    child.once('error', reject);
    child.once('close', (code) => resolvePromise({ code: code ?? 128, stdout, stderr }));
    child.stdin.end(input);
  });
}
