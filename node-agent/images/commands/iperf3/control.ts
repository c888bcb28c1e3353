/**
 * The control connection of iperf3: one-byte states, and JSON texts behind a 32-bit length. A test goes
 *
 *   client: cookie -> server: PARAM_EXCHANGE -> parameters -> CREATE_STREAMS -> a connection a stream, each with the cookie
 *   -> TEST_START, TEST_RUNNING -> data -> client: TEST_END -> EXCHANGE_RESULTS -> results both ways -> DISPLAY_RESULTS -> IPERF_DONE
 */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { nextChunk } from '../../program-io.ts';

export const STATE = {
  testStart: 1,
  testRunning: 2,
  testEnd: 4,
  paramExchange: 9,
  createStreams: 10,
  serverTerminate: 11,
  clientTerminate: 12,
  exchangeResults: 13,
  displayResults: 14,
  done: 16,
  accessDenied: 0xff,
  serverError: 0xfe,
} as const;

/** 36 characters and a zero. */
export const COOKIE_BYTES = 37;
const COOKIE_LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const MAX_JSON_BYTES = 1 << 20;

export function newCookie(): Buffer {
  const letters = [...randomBytes(COOKIE_BYTES - 1)].map((byte) => COOKIE_LETTERS[byte % COOKIE_LETTERS.length]);
  return Buffer.from(`${letters.join('')}\0`);
}

/** Undefined when the stream ends before. */
export async function readExactly(stream: Duplex, length: number, signal: AbortSignal): Promise<Buffer | undefined> {
  let bytes = Buffer.alloc(0);
  while (bytes.length < length) {
    const chunk = await nextChunk(stream, signal);
    if (chunk === undefined) return undefined;
    bytes = Buffer.concat([bytes, chunk]);
  }
  if (bytes.length > length) stream.unshift(bytes.subarray(length));
  return bytes.subarray(0, length);
}

/** The other end went, or said what has no place there. */
export class ControlError extends Error {
  override readonly name = 'ControlError';
}

export class ControlChannel {
  readonly socket: Duplex;
  private readonly signal: AbortSignal;

  constructor(socket: Duplex, signal: AbortSignal) {
    this.socket = socket;
    this.signal = signal;
  }

  sendState(state: number): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.from([state]));
  }

  /** Undefined when the other end has closed. */
  async receiveState(): Promise<number | undefined> {
    return (await readExactly(this.socket, 1, this.signal))?.[0];
  }

  sendJson(value: object): void {
    const text = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    this.socket.write(Buffer.concat([length, text]));
  }

  async receiveJson(): Promise<Record<string, unknown>> {
    const length = (await readExactly(this.socket, 4, this.signal))?.readUInt32BE() ?? 0;
    const text = length > MAX_JSON_BYTES ? undefined : await readExactly(this.socket, length, this.signal);
    const value: unknown = text === undefined || length === 0 ? undefined : JSON.parse(text.toString('utf8'));
    if (typeof value !== 'object' || value === null) {
      throw new ControlError('unable to receive parameters from the other end');
    }
    return { ...value };
  }
}
