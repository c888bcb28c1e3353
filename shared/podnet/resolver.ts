/**
 * Names to addresses as a C library does it (glibc's getaddrinfo): literals, /etc/hosts, then DNS with search list and
 * `ndots`, A and AAAA side by side, servers in turn, `attempts` rounds, TCP on truncation. Nothing is cached.
 */
import type { Answer, RecordType } from 'dns-packet';
import { type DnsAnswer, DnsTimeoutError, queryDns } from './dns-query.ts';
import type { PodNetwork } from './pod-network.ts';
import { parseHosts, parseResolvConf, type ResolvConf, searchCandidates } from './resolv-conf.ts';
import { reverseName } from './reverse-name.ts';
import { socketErrorCode } from './socket-error.ts';

/** What the resolver reads anew for every look-up, so that a changed file takes effect at once. */
export interface ResolverFiles {
  resolvConf(): string;
  hosts(): string;
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** What gethostbyname gives: the name that the addresses stand under, and the others that lead to it. */
export interface NamedAddresses {
  readonly canonicalName: string;
  readonly aliases: readonly string[];
  readonly addresses: readonly ResolvedAddress[];
}

export interface LookupOptions {
  /** Asks for this family only; both by default. */
  readonly family?: 4 | 6;
  readonly signal?: AbortSignal;
}

/** ENOTFOUND: no such name (EAI_NONAME). EAI_AGAIN: no server gave an answer. EAI_ADDRFAMILY: an address of the other family. */
export type ResolveErrorCode = 'ENOTFOUND' | 'EAI_AGAIN' | 'EAI_ADDRFAMILY';

export class ResolveError extends Error {
  override readonly name = 'ResolveError';
  readonly code: ResolveErrorCode;
  readonly syscall = 'getaddrinfo';
  readonly hostname: string;

  constructor(code: ResolveErrorCode, hostname: string) {
    super(`getaddrinfo ${code} ${hostname}`);
    this.code = code;
    this.hostname = hostname;
  }
}

export class Resolver {
  private readonly network: PodNetwork;
  private readonly files: ResolverFiles;
  private turn = 0;

  constructor(network: PodNetwork, files: ResolverFiles) {
    this.network = network;
    this.files = files;
  }

  config(): ResolvConf {
    return parseResolvConf(this.files.resolvConf());
  }

  /** All addresses of a name, IPv4 first; throws `ResolveError`. */
  async lookup(name: string, options: LookupOptions = {}): Promise<ResolvedAddress[]> {
    return [...(await this.lookupNamed(name, options)).addresses];
  }

  /** The same with the canonical name: /etc/hosts' first, or where the CNAMEs lead. */
  async lookupNamed(name: string, options: LookupOptions = {}): Promise<NamedAddresses> {
    const literal = literalAddress(name);
    if (literal !== undefined && options.family !== undefined && literal.family !== options.family) {
      throw new ResolveError('EAI_ADDRFAMILY', name);
    }
    if (literal !== undefined) return { canonicalName: name, aliases: [], addresses: [literal] };
    return this.lookupHosts(name, options.family) ?? (await this.lookupDns(name, options));
  }

  /** The first address of a name, IPv4 before IPv6; of one family when that is asked for. */
  async lookupOne(name: string, signal?: AbortSignal, family?: 4 | 6): Promise<string> {
    const addresses = await this.lookup(name, { signal, family });
    const first = addresses.find((entry) => entry.family === 4) ?? addresses[0];
    if (first === undefined) throw new ResolveError('ENOTFOUND', name);
    return first.address;
  }

  /** The name of an address (getnameinfo with NI_NAMEREQD): from /etc/hosts, else its first PTR record. */
  async lookupAddress(address: string, signal?: AbortSignal): Promise<string | undefined> {
    return (await this.lookupAddressNames(address, signal))[0];
  }

  /** All names of an address (gethostbyaddr); none when it has none. */
  async lookupAddressNames(address: string, signal?: AbortSignal): Promise<readonly string[]> {
    const entry = parseHosts(this.files.hosts()).find((candidate) => candidate.address === address);
    if (entry !== undefined) return entry.names;
    const answer = await this.query(reverseName(address), 'PTR', signal);
    return (answer?.packet.answers ?? []).flatMap((record) => (record.type === 'PTR' ? [record.data] : []));
  }

  /** Asks the configured servers for one type, without a search list; undefined when no server answers usefully. */
  async query(
    name: string,
    type: RecordType,
    signal?: AbortSignal,
    conf = this.config(),
  ): Promise<DnsAnswer | undefined> {
    const servers = this.inTurn(conf);
    let lastFailure: DnsAnswer | undefined;
    for (let attempt = 0; attempt < conf.attempts; attempt++) {
      for (const server of servers) {
        if (signal?.aborted) return undefined;
        const answer = await this.ask(server, name, type, conf, signal);
        if (answer === undefined) continue;
        const rcode = answer.packet.rcode;
        if (rcode === 'NOERROR' || rcode === 'NXDOMAIN') return answer;
        lastFailure = answer;
      }
    }
    return lastFailure;
  }

  /** `rotate`: each question begins at the next server. */
  private inTurn({ nameservers, rotate }: ResolvConf): readonly string[] {
    return rotate ? rotated(nameservers, this.turn++) : nameservers;
  }

  private async ask(
    server: string,
    name: string,
    type: RecordType,
    conf: ResolvConf,
    signal: AbortSignal | undefined,
  ): Promise<DnsAnswer | undefined> {
    try {
      return await queryDns(this.network, { server, name, type, timeoutMs: conf.timeoutMs, tcp: conf.useTcp }, signal);
    } catch (error) {
      if (error instanceof DnsTimeoutError || socketErrorCode(error) !== undefined) return undefined;
      throw error;
    }
  }

  private lookupHosts(name: string, family: 4 | 6 | undefined): NamedAddresses | undefined {
    const wanted = name.toLowerCase().replace(/\.$/, '');
    const addresses: ResolvedAddress[] = [];
    let names: readonly string[] | undefined;
    for (const entry of parseHosts(this.files.hosts())) {
      if (!entry.names.some((candidate) => candidate.toLowerCase() === wanted)) continue;
      const address = literalAddress(entry.address);
      if (address === undefined || (family !== undefined && address.family !== family)) continue;
      addresses.push(address);
      names ??= entry.names;
    }
    const [canonicalName = name, ...aliases] = names ?? [];
    return addresses.length === 0 ? undefined : { canonicalName, aliases, addresses };
  }

  private async lookupDns(name: string, options: LookupOptions): Promise<NamedAddresses> {
    const conf = this.config();
    let again = false;
    let candidates = searchCandidates(name, conf);
    for (let candidate = candidates.shift(); candidate !== undefined; candidate = candidates.shift()) {
      const types = queryTypes(options.family, conf);
      // Both families are asked of the same server.
      const turn = { ...conf, nameservers: this.inTurn(conf), rotate: false };
      const answers = await Promise.all(types.map((type) => this.query(candidate, type, options.signal, turn)));
      const records = answers.flatMap((answer) => answer?.packet.answers ?? []);
      const addresses = addressesOf(records);
      if (addresses.length > 0) return { ...namesOf(candidate, records), addresses };
      if (answers.some((answer) => answer === undefined || !isDefinite(answer))) again = true;
      // When all servers are silent, glibc skips the rest of the search list; the name itself is still asked for.
      const isSilent = answers.every((answer) => answer === undefined);
      if (isSilent && candidate !== name) candidates = candidates.filter((further) => further === name);
    }
    throw new ResolveError(again ? 'EAI_AGAIN' : 'ENOTFOUND', name);
  }
}

/** Follows the CNAMEs from the name that was asked for. */
function namesOf(asked: string, records: readonly Answer[]): { canonicalName: string; aliases: readonly string[] } {
  const aliases: string[] = [];
  let canonicalName = asked;
  for (const record of records) {
    if (record.type !== 'CNAME' || record.name.toLowerCase() !== canonicalName.toLowerCase()) continue;
    aliases.push(canonicalName);
    canonicalName = record.data;
  }
  return { canonicalName, aliases };
}

function queryTypes(family: 4 | 6 | undefined, conf: ResolvConf): RecordType[] {
  if (family === 4 || (family === undefined && conf.noAaaa)) return ['A'];
  return family === 6 ? ['AAAA'] : ['A', 'AAAA'];
}

function isDefinite(answer: DnsAnswer): boolean {
  return answer.packet.rcode === 'NOERROR' || answer.packet.rcode === 'NXDOMAIN';
}

function addressesOf(answers: readonly Answer[]): ResolvedAddress[] {
  const addresses: ResolvedAddress[] = [];
  for (const answer of answers) {
    if (answer.type === 'A') addresses.push({ address: answer.data, family: 4 });
    else if (answer.type === 'AAAA') addresses.push({ address: answer.data, family: 6 });
  }
  return addresses;
}

function rotated(servers: readonly string[], turn: number): readonly string[] {
  const start = turn % servers.length;
  return [...servers.slice(start), ...servers.slice(0, start)];
}

/** The address itself when the text is one. */
export function literalAddress(text: string): ResolvedAddress | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    return text.split('.').every((octet) => Number(octet) <= 255) ? { address: text, family: 4 } : undefined;
  }
  return /^[0-9a-f]*:[0-9a-f:.]*$/i.test(text) && text.includes(':') ? { address: text, family: 6 } : undefined;
}
