/** The command line of iputils' ping. */
import type { ParsedOptions } from '../../coreutils/options.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import { IputilsError, readOptions, wholeNumber } from './iputils-arguments.ts';
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

const SPEC = { flags: 'qnvbfaADdLRUBC46OhV', values: 'cisWwtIMlpQSTmeFN' };
const MAX_PAYLOAD_BYTES = 127_992;
const FLOOD_INTERVAL_MS = 10;
const ADAPTIVE_INTERVAL_MS = 200;

/** Throws `IputilsError`. */
export function parseIputils(run: Invocation): IputilsOptions {
  const options = readOptions(run.args, SPEC, IPUTILS_USAGE);
  const host = options.operands.at(-1);
  if (host === undefined) throw new IputilsError('usage error: Destination address required', 1);
  const flood = options.has('f');
  const adaptive = options.has('A');
  const mode = options.value('M') ?? 'want';
  if (!['do', 'dont', 'want', 'probe'].includes(mode)) throw new IputilsError(`invalid -M argument: ${mode}`, 2);
  return {
    host,
    family: familyAsked(run, options),
    count: wholeNumber(options, 'c', 1, Number.MAX_SAFE_INTEGER) ?? Number.POSITIVE_INFINITY,
    intervalMs: (seconds(options, 'i') ?? (flood ? FLOOD_INTERVAL_MS : adaptive ? ADAPTIVE_INTERVAL_MS : 1000)) || 1,
    deadlineMs: (wholeNumber(options, 'w', 0, 2_147_483_647) || Number.POSITIVE_INFINITY) * 1000,
    lingerMs: seconds(options, 'W') || 10_000,
    payloadBytes: wholeNumber(options, 's', 0, MAX_PAYLOAD_BYTES) ?? 56,
    ttl: wholeNumber(options, 't', 0, 255),
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

/** Seconds with a fraction, as milliseconds. */
function seconds(options: ParsedOptions, letter: string): number | undefined {
  const text = options.value(letter);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || Number.isNaN(value)) throw new IputilsError(`option argument contains garbage: ${text}`, 1);
  if (value < 0) throw new IputilsError(`bad timing interval: ${text}`, 1);
  return value * 1000;
}
