/** What stands before the object of an `ip` command (ip(8)). */
import type { IpFamily } from '../../../shared/wire/ip-address.ts';
import { usageError } from './ip-error.ts';

export interface IpOptions {
  readonly json: boolean;
  readonly pretty: boolean;
  readonly details: boolean;
  /** How often `-s` was said. */
  readonly statistics: number;
  readonly brief: boolean;
  /** `-o`: a line for each link or address. */
  readonly oneLine: boolean;
  /** `-t`, `-ts`: the time before each event. */
  readonly timestamps: 'long' | 'short' | undefined;
  /** `-4`, `-6`; both where neither was said, but routes are then IPv4's. */
  readonly family: IpFamily | undefined;
}

type Said = { -readonly [K in keyof IpOptions]: IpOptions[K] };

/** By their longest names; any beginning of one is the option too, the first that fits. */
const OPTIONS: readonly (readonly [name: string, least: number, set: (said: Said) => void])[] = [
  ['details', 1, (said) => (said.details = true)],
  ['statistics', 1, (said) => said.statistics++],
  ['stats', 1, (said) => said.statistics++],
  ['json', 1, (said) => (said.json = true)],
  ['pretty', 1, (said) => (said.pretty = true)],
  ['oneline', 1, (said) => (said.oneLine = true)],
  ['timestamp', 1, (said) => (said.timestamps = 'long')],
  ['tshort', 2, (said) => (said.timestamps = 'short')],
  ['brief', 2, (said) => (said.brief = true)],
  ['4', 1, (said) => (said.family = 'ipv4')],
  ['6', 1, (said) => (said.family = 'ipv6')],
  // Nothing is looked up, and nothing is in colour on what is no terminal.
  ['resolve', 1, () => undefined],
  ['color', 1, () => undefined],
  ['color=never', 7, () => undefined],
  ['color=auto', 7, () => undefined],
  ['human-readable', 1, () => undefined],
  ['Numeric', 1, () => undefined],
  ['iec', 3, () => undefined],
];

/** The options, and the words from the object on. */
export function readOptions(words: readonly string[]): {
  readonly options: IpOptions;
  readonly rest: readonly string[];
} {
  const said: Said = {
    json: false,
    pretty: false,
    details: false,
    statistics: 0,
    brief: false,
    oneLine: false,
    timestamps: undefined,
    family: undefined,
  };
  let at = 0;
  for (; words[at]?.startsWith('-'); at++) {
    const name = words[at]!.replace(/^--?/, '');
    if (name === 'f' || name === 'family') said.family = familyNamed(words[++at]);
    else if (!setOption(said, name)) throw usageError(`Option "${words[at]}" is unknown, try "ip -help".`);
  }
  return { options: said, rest: words.slice(at) };
}

function setOption(said: Said, name: string): boolean {
  const option = OPTIONS.find(([whole, least]) => name.length >= least && whole.startsWith(name));
  option?.[2](said);
  return option !== undefined;
}

function familyNamed(text: string | undefined): IpFamily | undefined {
  if (text === 'inet') return 'ipv4';
  if (text === 'inet6') return 'ipv6';
  if (text === 'link') return undefined;
  throw usageError(`Error: argument "${text ?? ''}" is wrong: invalid protocol family\n`);
}
