/** dig's command line: `[@server] [-options] [name] [type] [class] [+options] [name ...]`. */
import type { RecordClass, RecordType } from 'dns-packet';
import { reverseName } from '../../../../shared/podnet/reverse-name.ts';
import { parseRecordType } from './record-type.ts';

/** What belongs to one lookup; what stands before the first name is the standard of all. */
export interface DigLookup {
  name: string;
  type: RecordType | undefined;
  recordClass: RecordClass;
  servers: string[];
  tcp: boolean;
  ignoreTruncation: boolean;
  search: boolean;
  recurse: boolean;
  authenticData: boolean;
  checkingDisabled: boolean;
  edns: boolean;
  payloadBytes: number;
  dnssec: boolean;
  cookie: boolean;
  id: number | undefined;
  timeoutS: number;
  tries: number;
  comments: boolean;
  question: boolean;
  answer: boolean;
  authority: boolean;
  additional: boolean;
  stats: boolean;
  identify: boolean;
  ttl: boolean;
  showsClass: boolean;
  multiline: boolean;
}

export interface DigCommand {
  readonly lookups: readonly DigLookup[];
  readonly port: number;
  /** The banner was wanted when the first name came, and still is at the end. */
  readonly bannerAtFirst: boolean;
  readonly banner: boolean;
  readonly short: boolean;
  readonly microseconds: boolean;
  readonly ndots: number | undefined;
  readonly domain: string | undefined;
  /** Lines for standard error: what is not understood but does no harm. */
  readonly warnings: readonly string[];
}

/** The command line cannot be run; `message` is everything that dig prints about it. */
export class DigUsageError extends Error {
  override readonly name = 'DigUsageError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

const STANDARD: DigLookup = {
  name: '',
  type: undefined,
  recordClass: 'IN',
  servers: [],
  tcp: false,
  ignoreTruncation: false,
  search: false,
  recurse: true,
  authenticData: true,
  checkingDisabled: false,
  edns: true,
  payloadBytes: 1232,
  dnssec: false,
  cookie: true,
  id: undefined,
  timeoutS: 5,
  tries: 3,
  comments: true,
  question: true,
  answer: true,
  authority: true,
  additional: true,
  stats: true,
  identify: false,
  ttl: true,
  showsClass: true,
  multiline: false,
};

type Flag = { readonly [Key in keyof DigLookup]: DigLookup[Key] extends boolean ? Key : never }[keyof DigLookup];

const FLAGS: Readonly<Record<string, Flag>> = {
  adflag: 'authenticData',
  additional: 'additional',
  answer: 'answer',
  authority: 'authority',
  cdflag: 'checkingDisabled',
  class: 'showsClass',
  comments: 'comments',
  cookie: 'cookie',
  defname: 'search',
  dnssec: 'dnssec',
  do: 'dnssec',
  identify: 'identify',
  ignore: 'ignoreTruncation',
  multiline: 'multiline',
  question: 'question',
  rdflag: 'recurse',
  recurse: 'recurse',
  search: 'search',
  stats: 'stats',
  tcp: 'tcp',
  ttl: 'ttl',
  ttlid: 'ttl',
  vc: 'tcp',
};

const SECTIONS = ['comments', 'question', 'answer', 'authority', 'additional', 'stats'] as const;

/** Options with a meaning of their own, and those that change nothing for the servers and terminals here. */
const OTHERS: readonly string[] = [
  ...['all', 'bufsize', 'cmd', 'domain', 'edns', 'ndots', 'qid', 'retry', 'short', 'timeout', 'tries'],
  ...['badcookie', 'besteffort', 'crypto', 'ednsnegotiation', 'fail', 'idnin', 'idnout', 'keepalive', 'keepopen'],
  ...['onesoa', 'rrcomments', 'showbadcookie', 'showsearch', 'split', 'ttlunits', 'unknownformat', 'expandaaaa'],
];

/** Known to dig; here they have no effect, and say so. */
const WITHOUT_EFFECT: readonly string[] = [
  ...['aaflag', 'aaonly', 'dns64prefix', 'ednsflags', 'ednsopt', 'expire', 'header-only', 'https', 'https-get'],
  ...['nsid', 'nssearch', 'opcode', 'padding', 'qr', 'raflag', 'subnet', 'tcflag', 'tls', 'trace', 'yaml', 'zflag'],
];

const OPTION_NAMES = [...Object.keys(FLAGS), ...OTHERS, ...WITHOUT_EFFECT];

const USAGE = `Usage:  dig [@global-server] [domain] [q-type] [q-class] {q-opt}
            {global-d-opt} host [@local-server] {local-d-opt}
            [ host [@local-server] {local-d-opt} [...]]

Use "dig -h" (or "dig -h | more") for complete list of options
`;

/** Throws `DigUsageError`. */
export function parseDig(args: readonly string[]): DigCommand {
  return new DigParser(args).parse();
}

class DigParser {
  private readonly words: string[];
  private readonly standard: DigLookup = { ...STANDARD, servers: [] };
  private readonly lookups: DigLookup[] = [];
  private readonly warnings: string[] = [];
  private port = 53;
  private banner = true;
  private bannerAtFirst = true;
  private short = false;
  private microseconds = false;
  private ndots: number | undefined;
  private domain: string | undefined;
  private lastValue = '';
  /** A plain word may be a type or a class; after -t and -c it is a name. */
  private takesTypes = true;

  constructor(args: readonly string[]) {
    this.words = [...args];
  }

  parse(): DigCommand {
    for (let word = this.words.shift(); word !== undefined; word = this.words.shift()) {
      if (word.startsWith('@')) this.current.servers.push(word.slice(1));
      else if (word.startsWith('+')) this.takePlus(word);
      else if (word.startsWith('-') && word.length > 1) this.takeDash(word);
      else if (word.startsWith('%')) continue;
      else this.takeWord(word);
    }
    if (this.lookups.length === 0) this.addLookup('.').type ??= 'NS';
    const { lookups, port, bannerAtFirst, banner, short, microseconds, ndots, domain, warnings } = this;
    return { lookups, port, bannerAtFirst, banner, short, microseconds, ndots, domain, warnings };
  }

  /** What options go to: the last name's lookup, or the standard while there is none. */
  private get current(): DigLookup {
    return this.lookups.at(-1) ?? this.standard;
  }

  private addLookup(name: string): DigLookup {
    if (this.lookups.length === 0) this.bannerAtFirst = this.banner;
    const lookup = { ...this.standard, servers: [...this.standard.servers], name };
    this.lookups.push(lookup);
    return lookup;
  }

  /** A type, a class, or else a name. */
  private takeWord(word: string): void {
    const type = this.takesTypes ? parseRecordType(word) : undefined;
    const recordClass = this.takesTypes ? parseClass(word) : undefined;
    if (type !== undefined) this.current.type = type;
    else if (recordClass !== undefined) this.current.recordClass = recordClass;
    else this.addLookup(word);
  }

  private takeDash(word: string): void {
    const letter = word.charAt(1);
    switch (letter) {
      case 'h':
        throw new DigUsageError(USAGE, 0);
      case '4':
      case '6':
      case 'm':
      case 'r':
        return;
      case 'u':
        this.microseconds = true;
        return;
      case 'b':
      case 'f':
      case 'k':
      case 'y':
        this.valueOf(word);
        this.warnings.push(`;; Warning, option -${letter} has no effect here`);
        return;
      case 'c': {
        this.takesTypes = false;
        const recordClass = parseClass(this.valueOf(word));
        if (recordClass === undefined) this.warnings.push(`;; Warning, ignoring invalid class ${this.lastValue}`);
        else this.current.recordClass = recordClass;
        return;
      }
      case 'p':
        this.port = this.whole(this.valueOf(word), 'port number', 65_535, 1);
        return;
      case 'q':
        this.addLookup(this.valueOf(word));
        return;
      case 't': {
        this.takesTypes = false;
        const type = parseRecordType(this.valueOf(word));
        if (type === undefined) this.warnings.push(`;; Warning, ignoring invalid type ${this.lastValue}`);
        else this.current.type = type;
        return;
      }
      case 'x':
        this.addLookup(reverseName(this.valueOf(word))).type = 'PTR';
        return;
      default:
        throw invalidOption(word);
    }
  }

  private valueOf(word: string): string {
    const value = word.length > 2 ? word.slice(2) : this.words.shift();
    if (value === undefined) throw invalidOption(word);
    this.lastValue = value;
    return value;
  }

  private takePlus(word: string): void {
    const [given = '', ...rest] = word.slice(1).split('=');
    const value = rest.length === 0 ? undefined : rest.join('=');
    const negated = optionName(given) === undefined && given.startsWith('no');
    const name = optionName(negated ? given.slice(2) : given);
    if (name === undefined) throw invalidOption(word);
    const flag = FLAGS[name];
    if (flag !== undefined) this.current[flag] = !negated;
    else if (WITHOUT_EFFECT.includes(name)) this.warnings.push(`;; Warning, option +${name} has no effect here`);
    else this.takeOther(name, !negated, value);
  }

  private takeOther(name: string, on: boolean, value: string | undefined): void {
    const { current } = this;
    switch (name) {
      case 'all':
        for (const section of SECTIONS) current[section] = on;
        this.banner = on;
        return;
      case 'cmd':
        this.banner = on;
        return;
      case 'short':
        this.short = on;
        if (on) this.banner = false;
        return;
      case 'edns':
        current.edns = on;
        return;
      case 'bufsize':
        current.payloadBytes = value === undefined ? 1232 : this.whole(value, 'buffer size', 65_535);
        return;
      case 'qid':
        current.id = this.whole(value ?? '', 'qid', 65_535);
        return;
      case 'timeout':
        current.timeoutS = Math.max(1, this.whole(value ?? '', 'timeout', 65_535));
        return;
      case 'tries':
        current.tries = Math.max(1, this.whole(value ?? '', 'tries', 65_535));
        return;
      case 'retry':
        current.tries = this.whole(value ?? '', 'retries', 65_534) + 1;
        return;
      case 'ndots':
        this.ndots = this.whole(value ?? '', 'ndots', 65_535);
        return;
      case 'domain':
        this.domain = value;
        current.search = true;
    }
  }

  private whole(text: string, what: string, most: number, exitCode = 10): number {
    const problem = /^\d+$/.test(text) ? (Number(text) > most ? 'out of range' : undefined) : 'not a valid number';
    if (problem === undefined) return Number(text);
    throw new DigUsageError(`invalid ${what} '${text}': ${problem}\ndig: Couldn't parse ${what}\n`, exitCode);
  }
}

/** The option that the word names or is an unambiguous beginning of. */
function optionName(word: string): string | undefined {
  if (OPTION_NAMES.includes(word)) return word;
  const found = OPTION_NAMES.filter((name) => name.startsWith(word));
  return found.length === 1 && word.length > 1 ? found[0] : undefined;
}

function parseClass(text: string): RecordClass | undefined {
  const upper = text.toUpperCase();
  return upper === 'IN' || upper === 'CH' || upper === 'HS' ? upper : undefined;
}

function invalidOption(word: string): DigUsageError {
  return new DigUsageError(`Invalid option: ${word}\n${USAGE}`, 1);
}
