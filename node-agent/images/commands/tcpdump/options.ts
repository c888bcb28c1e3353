/** tcpdump's command line. */
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { PrintOptions } from './print-options.ts';

export const VERSION_TEXT = 'tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\n';
export const USAGE_TEXT = `${VERSION_TEXT}Usage: tcpdump [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ]
		[ -i interface ] [ -Q in|out|inout ] [ -r file ] [ -s snaplen ]
		[ -w file ] [ expression ]
`;

const DEFAULT_SNAP_BYTES = 262_144;

export interface TcpdumpOptions {
  readonly print: PrintOptions;
  readonly device: string | undefined;
  readonly count: number;
  readonly snapBytes: number;
  readonly readFile: string | undefined;
  readonly writeFile: string | undefined;
  readonly direction: 'in' | 'out' | 'inout';
  readonly timestamp: 'time' | 'none' | 'epoch' | 'since-last' | 'date' | 'since-first';
  /** Bytes of each packet: none, as hexadecimal digits, with characters beside them, or as text. */
  readonly dump: 'none' | 'hex' | 'hex-ascii' | 'ascii';
  /** The dump begins with the link header (`-xx`, `-XX`). */
  readonly dumpLink: boolean;
  readonly listDevices: boolean;
  readonly numbered: boolean;
  readonly filter: string;
}

const TIMESTAMPS = ['time', 'none', 'epoch', 'since-last', 'date', 'since-first'] as const;

/** Throws UsageError. */
export function parseTcpdump(args: readonly string[]): TcpdumpOptions {
  const parsed = parseOptions(args, {
    flags: 'AbDefKlLnNOpqStuUvxX#',
    values: 'BcijQrswy',
    long: {
      interface: 'i',
      'interface=': 'i',
      'snapshot-length=': 's',
      'direction=': 'Q',
      'list-interfaces': 'D',
      number: '#',
      'immediate-mode': 'U',
      'packet-buffered': 'U',
    },
  });
  const direction = parsed.value('Q') ?? 'inout';
  if (direction !== 'in' && direction !== 'out' && direction !== 'inout') {
    throw new UsageError(`unknown capture direction '${direction}'`);
  }
  return {
    print: {
      numericPorts: parsed.has('n'),
      verbosity: Math.min(3, parsed.values('v').length),
      quiet: parsed.has('q'),
      linkHeader: parsed.has('e'),
      absoluteSequence: parsed.has('S'),
    },
    device: parsed.value('i'),
    count: wholeNumber(parsed, 'c', 'packet count', 1) ?? Number.POSITIVE_INFINITY,
    snapBytes: wholeNumber(parsed, 's', 'snaplen', 0) || DEFAULT_SNAP_BYTES,
    readFile: parsed.value('r'),
    writeFile: parsed.value('w'),
    direction,
    timestamp: TIMESTAMPS[Math.min(parsed.values('t').length, TIMESTAMPS.length - 1)]!,
    dump: parsed.has('X') ? 'hex-ascii' : parsed.has('x') ? 'hex' : parsed.has('A') ? 'ascii' : 'none',
    dumpLink: parsed.values('x').length > 1 || parsed.values('X').length > 1,
    listDevices: parsed.has('D'),
    numbered: parsed.has('#'),
    filter: parsed.operands.join(' '),
  };
}

function wholeNumber(parsed: ParsedOptions, letter: string, what: string, minimum: number): number | undefined {
  const text = parsed.value(letter);
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text) || Number(text) < minimum) throw new UsageError(`invalid ${what} ${text}`);
  return Number(text);
}
