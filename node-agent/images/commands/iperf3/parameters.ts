/** What a test is to do: from the command line on the client, from the client on the server. */

export interface TestParameters {
  readonly seconds: number;
  /** Ends the test instead of the time; 0 for none. */
  readonly bytes: number;
  readonly streams: number;
  readonly blockBytes: number;
  /** The server sends. */
  readonly reverse: boolean;
  /** Of each stream; 0 for no limit. */
  readonly bitsPerSecond: number;
}

/** Of the iperf3 whose protocol and reports these are. */
export const VERSION = '3.12';
export const DEFAULT_SECONDS = 10;
export const DEFAULT_BLOCK_BYTES = 131_072;
const MAX_STREAMS = 128;

/** As the client tells the server (`send_parameters` of the original). */
export function encodeParameters(test: TestParameters): object {
  return {
    tcp: true,
    omit: 0,
    time: test.bytes > 0 ? 0 : test.seconds,
    num: test.bytes,
    blockcount: 0,
    parallel: test.streams,
    ...(test.reverse ? { reverse: true } : {}),
    len: test.blockBytes,
    ...(test.bitsPerSecond > 0 ? { bandwidth: test.bitsPerSecond } : {}),
    pacing_timer: 1000,
    client_version: VERSION,
  };
}

/** Undefined, with the reason, for what is not emulated. */
export function decodeParameters(value: Record<string, unknown>): TestParameters | string {
  if (value.udp === true || value.sctp === true) return 'only TCP tests are emulated';
  if (value.bidirectional === true) return 'bidirectional tests are not emulated: run one with -R and one without';
  const number = (name: string, fallback: number): number => {
    const found = value[name];
    return typeof found === 'number' && Number.isFinite(found) && found >= 0 ? found : fallback;
  };
  return {
    seconds: number('time', DEFAULT_SECONDS),
    bytes: number('num', 0),
    streams: Math.min(MAX_STREAMS, Math.max(1, number('parallel', 1))),
    blockBytes: Math.max(1, number('len', DEFAULT_BLOCK_BYTES)),
    reverse: value.reverse === true,
    bitsPerSecond: number('bandwidth', 0),
  };
}

const UNITS: Readonly<Record<string, number>> = { k: 1, m: 2, g: 3, t: 4 };

/** `10M`, `1.5g`: with powers of `base`; NaN for anything else. */
export function parseAmount(text: string, base: number): number {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)$/i.exec(text);
  if (match === null) return Number.NaN;
  return Number(match[1]) * base ** (UNITS[(match[2] ?? '').toLowerCase()] ?? 0);
}
