/** The command line of iputils' ping. */
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import { getoptSentence } from '../getopt-sentence.ts';
import { IPUTILS_USAGE } from './iputils-usage.ts';
import { familyAsked } from './target.ts';

export interface IputilsOptions {
  readonly host: string;
  readonly family: 4 | 6 | undefined;
  readonly count: number;
  readonly intervalMs: number;
  readonly deadlineMs: number;
  readonly lingerMs: number;
  readonly payloadBytes: number;
  readonly ttl: number | undefined;
  readonly dontFragment: boolean;
  readonly numeric: boolean;
  readonly quiet: boolean;
  readonly flood: boolean;
  readonly adaptive: boolean;
  readonly timestamps: boolean;
  readonly reportsOutstanding: boolean;
  readonly source: string | undefined;
  readonly pattern: string | undefined;
}

/** A command line that cannot be run: what to print after the name, and the exit code. */
export class PingUsageError extends Error {
  override readonly name = 'PingUsageError';
  readonly exitCode: number;
  readonly usage: string;

  constructor(message: string, exitCode: number, usage = '') {
    super(message);
    this.exitCode = exitCode;
    this.usage = usage;
  }
}

const MAX_PAYLOAD_BYTES = 127_992;
const FLOOD_INTERVAL_MS = 10;
const ADAPTIVE_INTERVAL_MS = 200;

/** Throws `PingUsageError`. */
export function parseIputils(run: Invocation): IputilsOptions {
  const options = read(run.args);
  const host = options.operands.at(-1);
  if (host === undefined) throw new PingUsageError('usage error: Destination address required', 1);
  const flood = options.has('f');
  const adaptive = options.has('A');
  const mode = options.value('M') ?? 'want';
  if (!['do', 'dont', 'want', 'probe'].includes(mode)) throw new PingUsageError(`invalid -M argument: ${mode}`, 2);
  return {
    host,
    family: familyAsked(run, options),
    count: whole(options, 'c', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    intervalMs: (seconds(options, 'i') ?? (flood ? FLOOD_INTERVAL_MS : adaptive ? ADAPTIVE_INTERVAL_MS : 1000)) || 1,
    deadlineMs: (whole(options, 'w', 0, 2_147_483_647) || Number.POSITIVE_INFINITY) * 1000,
    lingerMs: seconds(options, 'W') || 10_000,
    payloadBytes: whole(options, 's', 0, MAX_PAYLOAD_BYTES) ?? 56,
    ttl: whole(options, 't', 0, 255),
    dontFragment: mode === 'do' || mode === 'probe',
    numeric: options.has('n'),
    quiet: options.has('q'),
    flood: flood || seconds(options, 'i') === 0,
    adaptive: adaptive || flood || seconds(options, 'i') === 0,
    timestamps: options.has('D'),
    reportsOutstanding: options.has('O'),
    source: options.value('I'),
    pattern: options.value('p'),
  };
}

function read(args: readonly string[]): ParsedOptions {
  try {
    return parseOptions(args, { flags: 'qnvbfaADdLRUBC46OhV', values: 'cisWwtIMlpQSTmeFN' });
  } catch (error) {
    if (error instanceof UsageError) throw new PingUsageError(getoptSentence(error), 2, IPUTILS_USAGE);
    throw error;
  }
}

function whole(options: ParsedOptions, letter: string, least: number, most: number): number | undefined {
  const text = options.value(letter);
  if (text === undefined) return undefined;
  if (!/^[-+]?\d+$/.test(text)) throw new PingUsageError(`invalid argument: '${text}'`, 1);
  const value = Number(text);
  if (value < least || value > most) {
    // The C program's own bound, which a double cannot hold.
    const bound = most === Number.MAX_SAFE_INTEGER ? '9223372036854775807' : String(most);
    throw new PingUsageError(`invalid argument: '${text}': out of range: ${least} <= value <= ${bound}`, 1);
  }
  return value;
}

/** Seconds with a fraction, as milliseconds. */
function seconds(options: ParsedOptions, letter: string): number | undefined {
  const text = options.value(letter);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value))
    throw new PingUsageError(`option argument contains garbage: ${text}`, 1);
  if (value < 0) throw new PingUsageError(`bad timing interval: ${text}`, 1);
  return value * 1000;
}
