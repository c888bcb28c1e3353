/** Servers and their locations as nginx.conf declares them, and which of them takes a request. */
import { ConfigurationError, type Directive } from './configuration.ts';
import { Scope } from './scope.ts';

export interface Listen {
  readonly host: string | undefined;
  readonly port: number;
  readonly tls: boolean;
  readonly isDefault: boolean;
}

export interface Location {
  readonly kind: 'exact' | 'prefix' | 'final-prefix' | 'regex' | 'named';
  readonly path: string;
  readonly expression?: RegExp;
  readonly scope: Scope;
}

export interface VirtualServer {
  readonly names: readonly string[];
  readonly listens: readonly Listen[];
  readonly locations: readonly Location[];
  readonly scope: Scope;
}

export interface Site {
  readonly http: Scope;
  readonly servers: readonly VirtualServer[];
  /** Name -> addresses (`host:port`), a heavier one more than once. */
  readonly upstreams: ReadonlyMap<string, readonly string[]>;
  /** Name -> format. */
  readonly logFormats: ReadonlyMap<string, string>;
}

/** nginx' own, which is there without being declared. */
const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';

/** Throws `ConfigurationError`. */
export function compileSite(directives: readonly Directive[]): Site {
  const http = new Scope(directives.find(({ name }) => name === 'http')?.block ?? []);
  const servers = http.own('server').map((server) => compileServer(new Scope(server.block ?? [], http)));
  const upstreams = http.own('upstream').map(({ args, block }): [string, string[]] => [args[0] ?? '', members(block)]);
  const formats = http.own('log_format').map(({ args }): [string, string] => {
    const [name = '', ...parts] = args;
    return [name, parts.filter((part) => !part.startsWith('escape=')).join('')];
  });
  return {
    http,
    servers,
    upstreams: new Map(upstreams),
    logFormats: new Map([['combined', COMBINED], ...formats]),
  };
}

function members(block: readonly Directive[] = []): string[] {
  return block
    .filter(({ name, args }) => name === 'server' && !args.includes('down'))
    .flatMap(({ args: [address = '', ...options] }) => {
      const weight = Number(options.find((option) => option.startsWith('weight='))?.slice(7) ?? 1);
      return new Array<string>(weight).fill(address);
    });
}

function compileServer(scope: Scope): VirtualServer {
  const listens = scope
    .own('listen')
    .map(compileListen)
    .filter((listen) => listen !== undefined);
  return {
    scope,
    names: scope.own('server_name').flatMap(({ args }) => args),
    listens: listens.length === 0 ? [{ host: undefined, port: 80, tls: false, isDefault: false }] : listens,
    locations: scope.own('location').map((directive) => compileLocation(directive, scope)),
  };
}

/** Undefined for IPv6, which pods here do not have. */
function compileListen(directive: Directive): Listen | undefined {
  const [address = '', ...options] = directive.args;
  if (address.startsWith('[')) return undefined;
  const [, host, port] = /^(?:(.+):)?(\d+)$/.exec(address) ?? [undefined, address, '80'];
  if (Number(port) > 65_535)
    throw new ConfigurationError(`invalid port in "${address}" of the "listen" directive`, directive);
  return {
    host: host === undefined || host === '*' || host === '0.0.0.0' ? undefined : host,
    port: Number(port),
    tls: options.includes('ssl'),
    isDefault: options.includes('default_server'),
  };
}

function compileLocation(directive: Directive, parent: Scope): Location {
  const scope = new Scope(directive.block ?? [], parent);
  const [first = '', second] = directive.args;
  if (second === undefined) return { kind: first.startsWith('@') ? 'named' : 'prefix', path: first, scope };
  switch (first) {
    case '=':
      return { kind: 'exact', path: second, scope };
    case '^~':
      return { kind: 'final-prefix', path: second, scope };
    case '~':
    case '~*':
      return { kind: 'regex', path: second, expression: compileExpression(second, first === '~*', directive), scope };
    default:
      throw new ConfigurationError(`invalid location modifier "${first}"`, directive);
  }
}

function compileExpression(source: string, ignoreCase: boolean, directive: Directive): RegExp {
  try {
    return new RegExp(source, ignoreCase ? 'i' : '');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ConfigurationError(`regular expression "${source}" cannot be read: ${error.message}`, directive);
  }
}

/** By the Host header: exact, `*.suffix`, `prefix.*`, regular expression, then the default server of the address. */
export function chooseServer(servers: readonly VirtualServer[], port: number, host: string): VirtualServer | undefined {
  const here = servers.filter(({ listens }) => listens.some((listen) => listen.port === port));
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const ranks: readonly ((pattern: string) => boolean)[] = [
    (pattern) => pattern.toLowerCase() === name || (pattern.startsWith('.') && pattern.slice(1) === name),
    (pattern) => /^\*?\./.test(pattern) && name.endsWith(pattern.replace(/^\*/, '')),
    (pattern) => pattern.endsWith('.*') && name.startsWith(pattern.slice(0, -1)),
    (pattern) => pattern.startsWith('~') && new RegExp(pattern.slice(1)).test(name),
  ];
  for (const matches of ranks) {
    const found = here.find(({ names }) => names.some(matches));
    if (found !== undefined) return found;
  }
  return here.find(({ listens }) => listens.some((listen) => listen.port === port && listen.isDefault)) ?? here[0];
}

/** Exact, else the longest prefix unless a regular expression matches and the prefix is not `^~`. */
export function chooseLocation(server: VirtualServer, path: string): Location | undefined {
  const exact = server.locations.find((location) => location.kind === 'exact' && location.path === path);
  if (exact !== undefined) return exact;
  let longest: Location | undefined;
  for (const location of server.locations) {
    const isPrefix = location.kind === 'prefix' || location.kind === 'final-prefix';
    if (!isPrefix || !path.startsWith(location.path)) continue;
    if (longest === undefined || location.path.length > longest.path.length) longest = location;
  }
  if (longest?.kind === 'final-prefix') return longest;
  return server.locations.find(({ expression }) => expression?.test(path)) ?? longest;
}
