/** The specification of a rule as `iptables -A` takes it (iptables(8), iptables-extensions(8)); the other way is `iptables-save.ts`. */
import { addressBits, familyOf, type IpFamily, parseAddress, parsePrefix } from '../wire/ip-address.ts';
import { parseIcmpType } from './icmp-type.ts';
import { type Match, type PortMatch, RECENT_MODES, type RecentMatch } from './match.ts';
import type { PrefixMatch, ProtocolName, Rule } from './rule.ts';
import {
  bits,
  logLevel,
  maskLength,
  portNamed,
  portRange,
  RuleSyntaxError,
  recentSeconds,
  rejection,
  stateNamed,
} from './rule-words.ts';
import { DEFAULT_LOG_LEVEL, MAX_LOG_PREFIX_LENGTH, type Target } from './target.ts';
import { parseTcpFlags, SYN_ALONE } from './tcp-flags.ts';

type Draft = { -readonly [K in keyof Rule]: Rule[K] };
type RecentDraft = { -readonly [K in keyof RecentMatch]: RecentMatch[K] };
type PortDraft = { -readonly [K in keyof PortMatch]: PortMatch[K] };

const PROTOCOLS: Readonly<Record<string, ProtocolName>> = {
  tcp: 'tcp',
  '6': 'tcp',
  udp: 'udp',
  '17': 'udp',
  icmp: 'icmp',
  '1': 'icmp',
  icmpv6: 'icmpv6',
  'ipv6-icmp': 'icmpv6',
  '58': 'icmpv6',
  sctp: 'sctp',
  '132': 'sctp',
};
const MATCHES = new Set([
  'tcp',
  'udp',
  'sctp',
  'multiport',
  'comment',
  'statistic',
  'mark',
  'conntrack',
  'state',
  'addrtype',
  'physdev',
  'icmp',
  'icmp6',
  'icmpv6',
  'recent',
  'set',
]);

class RuleParser {
  private readonly words: readonly string[];
  private readonly family: IpFamily;
  private readonly rule: Draft = {};
  private readonly matches: Match[] = [];
  private readonly loaded = new Set<string>();
  private recent: RecentDraft | undefined;
  private at = 0;
  private negated = false;

  constructor(words: readonly string[], family: IpFamily) {
    this.words = words;
    this.family = family;
  }

  parse(): Rule {
    for (let word = this.next(); word !== undefined; word = this.next()) {
      if (word === '!') this.negated = true;
      else {
        this.option(word);
        this.negated = false;
      }
    }
    return { ...this.rule, ...(this.matches.length > 0 ? { matches: this.matches } : {}) };
  }

  private next(): string | undefined {
    return this.words[this.at++];
  }

  private value(option: string): string {
    const word = this.next();
    if (word === undefined) throw new RuleSyntaxError(`option "${option}" requires an argument`);
    if (word !== '!') return word;
    this.negated = true;
    return this.value(option);
  }

  private option(word: string): void {
    if (this.general(word) || this.ports(word) || this.tcpFlags(word) || this.icmpType(word)) return;
    if (this.recentOption(word) || this.extension(word)) return;
    throw new RuleSyntaxError(word.startsWith('-') ? `unknown option "${word}"` : `Bad argument \`${word}'`);
  }

  private general(word: string): boolean {
    const { rule } = this;
    switch (word) {
      case '-p':
      case '--protocol':
      case '--proto':
        this.protocol(this.value(word));
        return true;
      case '-s':
      case '--source':
      case '--src':
        rule.source = this.prefix(this.value(word));
        return true;
      case '-d':
      case '--destination':
      case '--dst':
        rule.destination = this.prefix(this.value(word));
        return true;
      case '-i':
      case '--in-interface':
        rule.inDevice = { name: this.value(word), ...this.negation() };
        return true;
      case '-o':
      case '--out-interface':
        rule.outDevice = { name: this.value(word), ...this.negation() };
        return true;
      case '-g':
      case '--goto':
        rule.target = { kind: 'goto', chain: this.value(word) };
        return true;
      case '-j':
      case '--jump':
        rule.target = this.target(this.value(word));
        return true;
      case '-m':
      case '--match':
        this.load(this.value(word));
        return true;
      default:
        return false;
    }
  }

  private protocol(text: string): void {
    if (text === 'all' || text === '0') return;
    const name = PROTOCOLS[text.toLowerCase()];
    if (name === undefined) throw new RuleSyntaxError(`unknown protocol "${text}" specified`);
    this.rule.protocol = { name, ...this.negation() };
  }

  private load(name: string): void {
    if (!MATCHES.has(name)) throw new RuleSyntaxError(`Couldn't load match \`${name}':No such file or directory\n`);
    this.loaded.add(name);
    if (name === 'tcp' || name === 'udp' || name === 'sctp') this.portMatch(name);
    if (name !== 'recent') return;
    this.recent = { kind: 'recent', mode: 'rcheck', list: 'DEFAULT' };
    this.matches.push(this.recent);
  }

  private prefix(text: string): PrefixMatch {
    const [address = '', mask] = text.split('/');
    const parsed = parseAddress(address);
    const prefix = mask === undefined ? undefined : parsePrefix(`${address}/${maskLength(mask)}`);
    if (parsed === undefined || familyOf(parsed) !== this.family) {
      throw new RuleSyntaxError(`host/network \`${address}' not found`);
    }
    if (mask !== undefined && prefix === undefined) throw new RuleSyntaxError(`invalid mask \`${mask}' specified`);
    return { ...(prefix ?? { address: parsed, prefixLength: addressBits(parsed) }), ...this.negation() };
  }

  private negation(): { readonly negated?: boolean } {
    return this.negated ? { negated: true } : {};
  }

  /** Ports of the protocol, whose extension need not be named. */
  private ports(word: string): boolean {
    const side = {
      '--dport': 'destination',
      '--destination-port': 'destination',
      '--sport': 'source',
      '--source-port': 'source',
    }[word];
    const name = this.rule.protocol?.name;
    if (side === undefined || (name !== 'tcp' && name !== 'udp' && name !== 'sctp')) return false;
    const match = this.portMatch(name);
    const range = portRange(this.value(word));
    Object.assign(match, side === 'source' ? { source: range } : { destination: range });
    if (this.negated) Object.assign(match, side === 'source' ? { sourceNegated: true } : { destinationNegated: true });
    return true;
  }

  private tcpFlags(word: string): boolean {
    if ((word !== '--syn' && word !== '--tcp-flags') || this.rule.protocol?.name !== 'tcp') return false;
    const match = this.portMatch('tcp');
    match.flags = word === '--syn' ? SYN_ALONE : { mask: this.flagBits(word), set: this.flagBits(word) };
    if (this.negated) match.flagsNegated = true;
    return true;
  }

  private flagBits(option: string): number {
    const bits = parseTcpFlags(this.value(option));
    if (typeof bits === 'string') throw new RuleSyntaxError(`Unknown TCP flag \`${bits}'`);
    return bits;
  }

  private icmpType(word: string): boolean {
    const name = this.rule.protocol?.name;
    const kind = word === '--icmp-type' && name === 'icmp' ? 'icmp' : 'icmp6';
    if (kind === 'icmp6' && (word !== '--icmpv6-type' || name !== 'icmpv6')) return false;
    const text = this.value(word);
    const icmp = parseIcmpType(text, kind === 'icmp' ? 'ipv4' : 'ipv6');
    if (icmp === undefined && text !== 'any') {
      throw new RuleSyntaxError(`Unknown ICMP${kind === 'icmp' ? '' : 'v6'} type \`${text}'`);
    }
    if (icmp !== undefined) this.matches.push({ kind, icmp, ...this.negation() });
    return true;
  }

  /** Options of one `-m recent`, in any order. */
  private recentOption(word: string): boolean {
    const match = this.recent;
    if (match === undefined || !/^--[a-z]/.test(word)) return false;
    const mode = RECENT_MODES.find((name) => word === `--${name}`);
    if (mode !== undefined) Object.assign(match, { mode, ...this.negation() });
    else if (word === '--name') match.list = this.value(word);
    else if (word === '--seconds') match.seconds = recentSeconds(this.value(word));
    else if (word === '--reap') match.reap = true;
    else if (word === '--mask') this.value(word);
    else if (word === '--hitcount' || word === '--remove' || word === '--rdest' || word === '--rttl')
      throw new RuleSyntaxError(`podwire: of recent there is no ${word} here`);
    else return word === '--rsource';
    return true;
  }

  private portMatch(kind: PortMatch['kind']): PortDraft {
    const present = this.matches.find((match) => match.kind === kind);
    if (present !== undefined) return present as PortDraft; // of that kind
    const made: PortDraft = { kind };
    this.matches.push(made);
    return made;
  }

  private extension(word: string): boolean {
    const made = this.extensionMatch(word);
    if (made === undefined) return false;
    if (made !== null) this.matches.push(made);
    return true;
  }

  /** null for an option that says nothing by itself. */
  private extensionMatch(word: string): Match | null | undefined {
    const has = (name: string): boolean => this.loaded.has(name);
    if (has('multiport') && /^--(dports|sports|destination-ports|source-ports)$/.test(word)) {
      const side = word.startsWith('--d') ? 'destination' : 'source';
      return { kind: 'multiport', side, ports: this.value(word).split(',').map(portRange) };
    }
    if (has('comment') && word === '--comment') return { kind: 'comment', comment: this.value(word) };
    if (has('set') && word === '--match-set') return this.setMatch(this.value(word));
    if (has('statistic') && word === '--mode') return this.requireRandom(this.value(word));
    if (has('statistic') && word === '--probability')
      return { kind: 'statistic', probability: this.probability(this.value(word)) };
    if (has('mark') && word === '--mark') {
      const [value, mask] = bits(this.value(word));
      return { kind: 'mark', value, mask, ...this.negation() };
    }
    if ((has('conntrack') && word === '--ctstate') || (has('state') && word === '--state')) {
      return { kind: 'conntrack', states: this.value(word).split(',').map(stateNamed), ...this.negation() };
    }
    if (has('addrtype') && (word === '--dst-type' || word === '--src-type')) return this.addressType(word);
    return has('physdev') ? this.physdev(word) : undefined;
  }

  /** Whether there is such a set is a question of the tables. */
  private setMatch(set: string): Match {
    const negation = this.negation();
    const sides = this.value('--match-set')
      .split(',')
      .map((side) => {
        if (side === 'src' || side === 'dst') return side;
        throw new RuleSyntaxError("You must specify (the comma separated list of) 'src' or 'dst'\n");
      });
    return { kind: 'set', set, sides, ...negation };
  }

  private requireRandom(mode: string): null {
    if (mode !== 'random')
      throw new RuleSyntaxError(`podwire: of statistic there is the mode random here, not ${mode}`);
    return null;
  }

  private probability(text: string): number {
    const value = Number(text);
    if (!(value >= 0 && value <= 1))
      throw new RuleSyntaxError(`statistic: bad value for option "--probability", or out of range (0-1).`);
    return value;
  }

  private addressType(word: string): Match {
    const type = this.value(word);
    if (type !== 'LOCAL') throw new RuleSyntaxError(`podwire: of addrtype there is the type LOCAL here, not ${type}`);
    return { kind: 'addrtype', side: word === '--src-type' ? 'source' : 'destination', type, ...this.negation() };
  }

  private physdev(word: string): Match | undefined {
    const kind = word.replace('--physdev-', '');
    if (kind === 'in' || kind === 'out')
      return { kind: 'physdev', test: { kind, device: this.value(word) }, ...this.negation() };
    if (kind !== 'is-in' && kind !== 'is-out' && kind !== 'is-bridged') return undefined;
    return { kind: 'physdev', test: { kind }, ...this.negation() };
  }

  private target(name: string): Target {
    switch (name) {
      case 'ACCEPT':
        return { kind: 'accept' };
      case 'DROP':
        return { kind: 'drop' };
      case 'RETURN':
        return { kind: 'return' };
      case 'REJECT':
        return { kind: 'reject', with: rejection(this.optional('--reject-with'), this.family) };
      case 'MASQUERADE':
        return { kind: 'masquerade', ...this.randomFully() };
      case 'SNAT':
        return { kind: 'snat', address: this.address(this.optional('--to-source')), ...this.randomFully() };
      case 'DNAT':
        return this.destinationNat(this.optional('--to-destination') ?? '');
      case 'MARK':
        return this.markTarget();
      case 'LOG':
        return this.logTarget();
      case 'NFLOG':
      case 'TRACE':
      case 'CONNMARK':
        throw new RuleSyntaxError(`podwire: there is no target ${name} here`);
      default:
        return { kind: 'jump', chain: name };
    }
  }

  /** The word behind `option`, if that is what comes next. */
  private optional(option: string): string | undefined {
    if (this.words[this.at] !== option) return undefined;
    this.at++;
    return this.value(option);
  }

  private randomFully(): { readonly randomFully?: boolean } {
    if (this.words[this.at] !== '--random-fully') return {};
    this.at++;
    return { randomFully: true };
  }

  private address(text: string | undefined): number {
    const address = parseAddress(text ?? '');
    if (address === undefined) throw new RuleSyntaxError(`Bad IP address "${text ?? ''}"\n`);
    return address;
  }

  /** `10.0.0.1`, `10.0.0.1:8080`, `[fd00::1]:8080`. */
  private destinationNat(text: string): Target {
    const bracketed = /^\[(.*)\](?::(\d+))?$/.exec(text) ?? /^([\d.]+)(?::(\d+))?$/.exec(text);
    const address = this.address(bracketed?.[1] ?? text);
    const port = bracketed?.[2];
    return { kind: 'dnat', address, ...(port === undefined ? {} : { port: portNamed(port) }) };
  }

  private logTarget(): Target {
    let [prefix, level] = ['', DEFAULT_LOG_LEVEL];
    for (;;) {
      const [text, name] = [this.optional('--log-prefix'), this.optional('--log-level')];
      if (text === undefined && name === undefined) return { kind: 'log', prefix, level };
      prefix = text ?? prefix;
      if (name !== undefined) level = logLevel(name);
      if (prefix.length > MAX_LOG_PREFIX_LENGTH)
        throw new RuleSyntaxError(`podwire: a prefix of LOG has at most ${MAX_LOG_PREFIX_LENGTH} characters`);
    }
  }

  private markTarget(): Target {
    const option = this.next() ?? '';
    const [value, mask] = bits(this.value(option));
    if (option === '--set-mark') return { kind: 'mark', value, mask: (mask | value) >>> 0 };
    if (option === '--set-xmark') return { kind: 'mark', value, mask };
    if (option === '--or-mark') return { kind: 'mark', value, mask: value };
    if (option === '--xor-mark') return { kind: 'mark', value, mask: 0 };
    if (option === '--and-mark') return { kind: 'mark', value: 0, mask: ~value >>> 0 };
    throw new RuleSyntaxError(`unknown option "${option}"`);
  }
}

/** Throws RuleSyntaxError. */
export function parseRule(words: readonly string[], family: IpFamily): Rule {
  return new RuleParser(words, family).parse();
}
