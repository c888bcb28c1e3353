/** `wrk`, the HTTP load generator, where the machine has it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);
const CONNECTIONS = 16;

export interface WrkResult {
  readonly requestsPerSecond: number;
  /** Of sockets, and answers other than 2xx and 3xx. */
  readonly errors: number;
}

export async function wrkIsThere(): Promise<boolean> {
  try {
    await execFileAsync('sh', ['-c', 'command -v wrk']);
    return true;
  } catch {
    return false;
  }
}

/** One thread, 16 connections. */
export async function runWrk(url: string, seconds: number): Promise<WrkResult> {
  const { stdout } = await execFileAsync('wrk', ['-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, url]);
  return parseWrk(stdout);
}

/** What it says of errors it says only when there were some. */
export function parseWrk(text: string): WrkResult {
  const rate = /^Requests\/sec:\s+([\d.]+)$/m.exec(text)?.[1];
  if (rate === undefined) throw new Error(`wrk says no rate: ${text}`);
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? [];
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? '0';
  const errors = [...sockets, refused].reduce((sum, count) => sum + Number(count), 0);
  return { requestsPerSecond: Number(rate), errors };
}
