/** One apiserver process on a nats-server that is there, and HTTPS requests to it with the administrator's token. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import { join, resolve } from 'node:path';
import type { TestNatsServer } from '../contract/nats-server.ts';

const MAIN = resolve(import.meta.dirname, '../../services/apiserver/main.ts');
export const TEST_CLUSTER = 'apiserver-test';

export interface ApiProcessOptions {
  readonly nats: Pick<TestNatsServer, 'url' | 'token'>;
  /** Its state folder; several processes of one cluster share it. */
  readonly folder: string;
  readonly port: number;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface ApiAnswer {
  readonly code: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export class ApiProcess {
  readonly folder: string;
  readonly port: number;
  private readonly options: ApiProcessOptions;
  private readonly agent = new Agent({ keepAlive: true });
  private child: ChildProcess | undefined;
  private output = '';
  private authority: string | undefined;
  private adminToken: string | undefined;

  constructor(options: ApiProcessOptions) {
    this.options = options;
    this.folder = options.folder;
    this.port = options.port;
  }

  /** What the process has written to its log. */
  get log(): string {
    return this.output;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** How it ended; undefined while it runs. */
  get ended(): number | string | undefined {
    return this.child?.exitCode ?? this.child?.signalCode ?? undefined;
  }

  get ca(): string {
    this.authority ??= readFileSync(join(this.folder, 'pki/ca.crt'), 'utf8');
    return this.authority;
  }

  get token(): string {
    this.adminToken ??= readFileSync(join(this.folder, 'pki/admin.token'), 'utf8').trim();
    return this.adminToken;
  }

  /** Resolves when the process says that it is ready; to false when it was killed before that. */
  async start(): Promise<boolean> {
    const { nats, environment } = this.options;
    const child = spawn(process.execPath, [MAIN], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        PODWIRE_CLUSTER: TEST_CLUSTER,
        PODWIRE_NATS_URL: nats.url,
        PODWIRE_NATS_TOKEN: nats.token,
        PODWIRE_STATE_DIR: this.folder,
        PODWIRE_API_PORT: String(this.port),
        PODWIRE_API_PKI_DIR: join(this.folder, 'pki'),
        ...environment,
      },
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString('utf8');
      });
    }
    const ended = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
    const first = await Promise.race([once(child, 'message'), ended]);
    if (Array.isArray(first)) return true;
    if (first.signal === 'SIGKILL') return false;
    throw new Error(`the apiserver ended:\n${this.output}`);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.child;
    this.child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** A response as it comes; rejects when the connection breaks before. */
  open(
    method: string,
    path: string,
    body: string | Buffer = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          ca: this.ca,
          agent: this.agent,
          headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json', ...headers },
        },
        resolve,
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  async call(
    method: string,
    path: string,
    body: string | Buffer = '',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ApiAnswer> {
    const response = await this.open(method, path, body, headers);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk);
    return { code: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') };
  }

  /** For tests that end their connections themselves. */
  dropConnections(): void {
    this.agent.destroy();
  }
}
