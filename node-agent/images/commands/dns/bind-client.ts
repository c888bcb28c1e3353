/** How bind's programs ask: servers in turn, several tries, their words for what goes wrong, the search list. */
import { type DnsAnswer, type DnsQuery, DnsTimeoutError, queryDns } from '../../../../shared/podnet/dns-query.ts';
import { type ResolvConf, searchCandidates } from '../../../../shared/podnet/resolv-conf.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { SocketError, type SocketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import type { ContainerView, ProgramContext } from '../../image.ts';

export const BIND_VERSION = '9.18.33';

export interface BindServer {
  readonly address: string;
  /** As the user wrote it. */
  readonly given: string;
}

export interface BindSettings {
  readonly servers: readonly BindServer[];
  readonly port: number;
  readonly timeoutMs: number;
  /** Per server. */
  readonly tries: number;
  /** A reply that is asked of the next server instead, while there is one. */
  readonly passesOn?: (answer: DnsAnswer) => string | undefined;
}

export type BindQuery = Omit<DnsQuery, 'server' | 'port' | 'timeoutMs'>;

export type BindOutcome =
  | { readonly kind: 'answer'; readonly answer: DnsAnswer; readonly server: BindServer }
  /** Asked, and nothing came. */
  | { readonly kind: 'silence' }
  /** Nothing could be asked; this has been said already. */
  | { readonly kind: 'no-way' };

export class UnknownServerError extends Error {
  override readonly name = 'UnknownServerError';

  constructor(server: string) {
    super(`couldn't get address for '${server}': not found`);
  }
}

/** What is wrong with a name's syntax, in bind's words; undefined for a good one. */
export function nameFault(name: string): string | undefined {
  if (name === '.' || name === '') return undefined;
  const labels = name.replace(/\.$/, '').split('.');
  if (labels.includes('')) return 'empty label';
  if (labels.some((label) => Buffer.byteLength(label) > MAX_LABEL_BYTES)) return 'label too long';
  return Buffer.byteLength(name) > MAX_NAME_BYTES ? 'ran out of space' : undefined;
}

/** RFC 1035 section 2.3.4. */
const MAX_LABEL_BYTES = 63;
const MAX_NAME_BYTES = 254;

/** The names to ask for, in order. Unlike the C library, bind does not search for a name that has `ndots` dots. */
export function bindCandidates(name: string, conf: Pick<ResolvConf, 'ndots' | 'search'>): string[] {
  const candidates = searchCandidates(name, conf);
  return candidates[0] === name ? [name] : candidates;
}

/** The server that was named, else those of resolv.conf. Throws `UnknownServerError`. */
export async function bindServers(
  container: ContainerView,
  given: string | undefined,
  signal: AbortSignal,
): Promise<readonly BindServer[]> {
  if (given === undefined) {
    return container.resolver.config().nameservers.map((address) => ({ address, given: address }));
  }
  try {
    if (given === '') throw new UnknownServerError(given);
    return [{ address: await container.resolver.lookupOne(given, signal), given }];
  } catch (error) {
    if (error instanceof ResolveError) throw new UnknownServerError(given);
    throw error;
  }
}

/** `say` prints a line about a failure; `name` is what the user asked for. */
export async function askServers(
  context: ProgramContext,
  settings: BindSettings,
  query: BindQuery,
  name: string,
  say: (line: string) => Promise<void>,
): Promise<BindOutcome> {
  let outcome: BindOutcome = { kind: 'silence' };
  for (const [index, server] of settings.servers.entries()) {
    outcome = await askServer(context, settings, server, query, name, say);
    if (outcome.kind !== 'answer') continue;
    const reason = settings.passesOn?.(outcome.answer);
    if (reason === undefined) return outcome;
    const isLast = index === settings.servers.length - 1;
    await say(`;; Got ${reason} from ${server.given}${isLast ? '' : ', trying next server'}`);
  }
  return outcome;
}

async function askServer(
  context: ProgramContext,
  settings: BindSettings,
  server: BindServer,
  query: BindQuery,
  name: string,
  say: (line: string) => Promise<void>,
): Promise<BindOutcome> {
  const { port, timeoutMs, tries } = settings;
  let outcome: BindOutcome = { kind: 'silence' };
  for (let attempt = 0; attempt < tries && !context.signal.aborted; attempt++) {
    try {
      const asked = { ...query, server: server.address, port, timeoutMs };
      return { kind: 'answer', answer: await queryDns(context.container.network, asked, context.signal), server };
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      const where = `${server.address}#${port}`;
      if (failure.beforeAsking || (query.tcp && failure.connecting)) {
        const what = query.tcp ? 'Connection to' : 'UDP setup with';
        await say(`;; ${what} ${where}(${server.given}) for ${name} failed: ${failure.sentence}.`);
        await say(';; no servers could be reached');
        outcome = { kind: 'no-way' };
      } else await say(`;; communications error to ${where}: ${failure.sentence}`);
    }
  }
  return outcome;
}

interface Failure {
  readonly sentence: string;
  readonly connecting: boolean;
  /** There is not even a route. */
  readonly beforeAsking: boolean;
}

function failureOf(error: unknown): Failure | undefined {
  if (error instanceof DnsTimeoutError) {
    return { sentence: 'timed out', connecting: error.connecting, beforeAsking: false };
  }
  if (!(error instanceof SocketError)) return undefined;
  const connecting = error.syscall === 'connect';
  return { sentence: sentenceOf(error.code), connecting, beforeAsking: connecting && error.code !== 'ECONNREFUSED' };
}

function sentenceOf(code: SocketErrorCode): string {
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'EHOSTUNREACH':
      return 'host unreachable';
    case 'ENETUNREACH':
      return 'network unreachable';
    case 'ECONNRESET':
      return 'connection reset';
    case 'EADDRNOTAVAIL':
      return 'address not available';
    case 'ETIMEDOUT':
    case 'ECANCELED':
      return 'timed out';
    default:
      return 'unexpected error';
  }
}
