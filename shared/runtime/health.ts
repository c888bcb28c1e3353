/** /healthz, /livez, /readyz and /metrics of a process. Only `node:net` is loaded at start, as most are never scraped. */
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import type { HostPort } from './config.ts';
import { LazyHttp } from './lazy-http.ts';
import type { Metrics } from './metrics.ts';

/** Undefined when all is well, else one sentence. */
export type HealthCheck = () => string | undefined;

export class HealthServer {
  private readonly checks = new Map<string, HealthCheck>();
  private readonly metrics: Metrics;
  private readonly server: Server;
  private readonly http = new LazyHttp((path, response) => {
    if (this.handle(path, response)) return;
    answer(response, 404, 'text/plain', 'served here: /healthz, /livez, /readyz, /metrics\n');
  });

  constructor(metrics: Metrics) {
    this.metrics = metrics;
    this.server = createServer((socket) => this.http.accept(socket));
  }

  /** Adds a named check to /healthz, /livez and /readyz. */
  addCheck(name: string, check: HealthCheck): void {
    this.checks.set(name, check);
  }

  /** Resolves to the port. Rejects when the address cannot be bound. */
  listen(address: HostPort): Promise<number> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(address.port, address.host, () => {
        this.server.off('error', reject);
        resolve((this.server.address() as AddressInfo).port);
      });
    });
  }

  close(): Promise<void> {
    this.http.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  /** Answers a request for one of the paths that are served here; false for others. */
  handle(path: string, response: ServerResponse): boolean {
    if (path === '/metrics') void this.answerMetrics(response);
    else if (path === '/healthz' || path === '/livez' || path === '/readyz') this.answerHealth(response);
    else return false;
    return true;
  }

  private answerHealth(response: ServerResponse): void {
    const failures: string[] = [];
    for (const [name, check] of this.checks) {
      const failure = check();
      if (failure !== undefined) failures.push(`${name}: ${failure}\n`);
    }
    if (failures.length === 0) answer(response, 200, 'text/plain', 'ok');
    else answer(response, 503, 'text/plain', failures.join(''));
  }

  private async answerMetrics(response: ServerResponse): Promise<void> {
    try {
      const { contentType, body } = await this.metrics.expose();
      answer(response, 200, contentType, body);
    } catch (error) {
      answer(response, 500, 'text/plain', `${String(error)}\n`);
    }
  }
}

function answer(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, { 'content-type': contentType });
  response.end(body);
}
