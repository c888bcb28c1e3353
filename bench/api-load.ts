/** Clients of one apiserver: requests over kept connections, at a rate or one after the other, and watches. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';

export interface ApiEndpoint {
  readonly port: number;
  /** PEM */
  readonly ca: string;
  readonly token: string;
}

export class ApiLoad {
  private readonly endpoint: ApiEndpoint;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 32, scheduling: 'fifo' });

  constructor(endpoint: ApiEndpoint) {
    this.endpoint = endpoint;
  }

  /** The body of a successful answer. */
  async call(method: string, path: string, body?: string, mediaType = 'application/json'): Promise<Buffer> {
    const response = await this.open(method, path, this.agent, body, mediaType);
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(response, 'end');
    const bytes = Buffer.concat(chunks);
    const { statusCode = 0 } = response;
    if (statusCode >= 300)
      throw new Error(`${method} ${path} is ${statusCode}: ${bytes.toString('utf8').slice(0, 200)}`);
    return bytes;
  }

  /** Each line of a watch, until the returned function is called. Resolves when the answer has begun. */
  async watch(path: string, told: (line: string) => void): Promise<() => void> {
    const response = await this.open('GET', path, new Agent());
    if (response.statusCode !== 200) throw new Error(`GET ${path} is ${response.statusCode}`);
    let rest = '';
    response.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) told(line);
    });
    // The end of the benchmark breaks it off.
    response.on('error', () => response.destroy());
    return () => response.destroy();
  }

  close(): void {
    this.agent.destroy();
  }

  private open(
    method: string,
    path: string,
    agent: Agent,
    body?: string,
    mediaType = 'application/json',
  ): Promise<IncomingMessage> {
    const { port, ca, token } = this.endpoint;
    return new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': mediaType, 'content-length': Buffer.byteLength(body) }),
      };
      const request = httpsRequest({ host: '127.0.0.1', port, method, path, ca, agent, headers }, resolve);
      request.on('error', reject);
      request.end(body);
    });
  }
}

/**
 * Begins `count` pieces of work at a steady rate, whether the earlier ones are done or not; the time of each in
 * milliseconds, counted from when it was due, so that a stall counts for all that it kept waiting.
 */
export async function atRate(
  count: number,
  perSecond: number,
  work: (index: number) => Promise<unknown>,
): Promise<number[]> {
  const beganMs = performance.now();
  const times: Promise<number>[] = [];
  while (times.length < count) {
    const dueMs = beganMs + (times.length * 1000) / perSecond;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) {
      await new Promise((resolve) => setTimeout(resolve, earlyMs));
      continue;
    }
    times.push(work(times.length).then(() => performance.now() - dueMs));
  }
  return Promise.all(times);
}

/** So many pieces of work, `inFlight` at a time; resolves to their number a second. */
export async function asFastAsPossible(
  count: number,
  inFlight: number,
  work: (index: number) => Promise<unknown>,
): Promise<number> {
  const beganMs = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return (count * 1000) / (performance.now() - beganMs);
}

/** The smallest value that at least this part (0.99) of the samples does not exceed. */
export function quantile(samples: readonly number[], part: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] as number;
}
