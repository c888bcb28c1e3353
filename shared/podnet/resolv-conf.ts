/** The two files a C library's resolver reads: resolv.conf(5) and hosts(5). */

/** glibc's bounds (resolv.conf(5)). */
const MAX_NAMESERVERS = 3;
const MAX_NDOTS = 15;
const MAX_TIMEOUT_S = 30;
const MAX_ATTEMPTS = 5;

export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  /** A name with at least this many dots is tried as it is before the search list. */
  readonly ndots: number;
  readonly timeoutMs: number;
  readonly attempts: number;
  readonly rotate: boolean;
  /** Always TCP. */
  readonly useTcp: boolean;
  /** Asks for A only. */
  readonly noAaaa: boolean;
}

/** Unknown lines and options are skipped, as the C library does; no nameserver means 127.0.0.1. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined && nameservers.length < MAX_NAMESERVERS)
      nameservers.push(values[0]);
    else if (keyword === 'search') search = values;
    else if (keyword === 'domain') search = values.slice(0, 1);
    else if (keyword === 'options') {
      for (const option of values) {
        const [name = '', value = ''] = option.split(':');
        options.set(name, value);
      }
    }
  }
  return {
    nameservers: nameservers.length === 0 ? ['127.0.0.1'] : nameservers,
    search: search.map((domain) => domain.replace(/\.$/, '')).filter((domain) => domain !== ''),
    ndots: bounded(options.get('ndots'), 1, MAX_NDOTS),
    timeoutMs: Math.max(1, bounded(options.get('timeout'), 5, MAX_TIMEOUT_S)) * 1000,
    attempts: Math.max(1, bounded(options.get('attempts'), 2, MAX_ATTEMPTS)),
    rotate: options.has('rotate'),
    useTcp: options.has('use-vc'),
    noAaaa: options.has('no-aaaa'),
  };
}

function bounded(text: string | undefined, standard: number, limit: number): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isNaN(value) || value < 0 ? standard : Math.min(value, limit);
}

export interface HostsEntry {
  readonly address: string;
  readonly names: readonly string[];
}

export function parseHosts(text: string): HostsEntry[] {
  const entries: HostsEntry[] = [];
  for (const line of text.split('\n')) {
    const [address, ...names] = line.replace(/#.*$/, '').trim().split(/\s+/);
    if (address !== undefined && names.length > 0) entries.push({ address, names });
  }
  return entries;
}

/** The names to ask for, in order: `ndots` decides whether the name itself comes first; a trailing dot ends the search. */
export function searchCandidates(name: string, conf: Pick<ResolvConf, 'ndots' | 'search'>): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const dots = name.split('.').length - 1;
  const searched = conf.search.map((domain) => `${name}.${domain}`);
  return dots >= conf.ndots ? [name, ...searched] : [...searched, name];
}
