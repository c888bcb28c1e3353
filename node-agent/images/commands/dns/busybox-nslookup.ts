/**
 * nslookup of busybox (its full variant). It asks everything at once, prints the answers in the order of the questions,
 * and searches only for names without a dot, showing what each domain of the list said.
 */
import type { RecordType } from 'dns-packet';
import { type DnsAnswer, DnsTimeoutError, queryDns } from '../../../../shared/podnet/dns-query.ts';
import { literalAddress, ResolveError } from '../../../../shared/podnet/resolver.ts';
import { reverseName } from '../../../../shared/podnet/reverse-name.ts';
import { SocketError, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { BUSYBOX_BANNER } from '../busybox-banner.ts';
import { lookupText } from './lookup-text.ts';
import { parseRecordType } from './record-type.ts';

const USAGE = `${BUSYBOX_BANNER}

Usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]

Query DNS about HOST

QUERY_TYPE: soa,ns,a,aaaa,cname,mx,txt,ptr,srv,any
`;

const TYPES = ['soa', 'ns', 'a', 'aaaa', 'cname', 'mx', 'txt', 'ptr', 'srv', 'any'];

interface Settings {
  readonly host: string;
  readonly server: string | undefined;
  readonly types: readonly RecordType[];
  readonly port: number;
  readonly timeoutMs: number;
  readonly tries: number;
  readonly debug: boolean;
}

interface Question {
  readonly name: string;
  readonly type: RecordType;
}

/** What ends the program: printed after its name. */
class LookupError extends Error {
  override readonly name = 'LookupError';
}

export const nslookup: Utility = async (run) => {
  try {
    const settings = parse(run.args);
    if (settings === undefined) {
      await write(run.context.stderr, USAGE);
      return 1;
    }
    return await look(run, settings);
  } catch (error) {
    if (!(error instanceof LookupError)) throw error;
    await run.complain(error.message);
    return 1;
  }
};

/** Undefined when the usage is to be shown. Throws `LookupError`. */
function parse(args: readonly string[]): Settings | undefined {
  const types: RecordType[] = [];
  let [port, timeoutMs, tries, debug] = [53, 5000, 2, false];
  const operands: string[] = [];
  for (const word of args) {
    const [, key = '', value] = /^-([a-z]*)(?:=(.*))?$/.exec(word) ?? [];
    if (!word.startsWith('-')) operands.push(word);
    else if (value !== undefined && key.length > 0 && ['type', 'querytype'].some((name) => name.startsWith(key))) {
      if (!TYPES.includes(value.toLowerCase())) throw new LookupError(`invalid query type "${value}"`);
      types.push(parseRecordType(value) ?? 'A');
    } else if (key === 'port') port = whole(value);
    else if (key === 'timeout') timeoutMs = whole(value) * 1000;
    else if (key === 'retry') tries = whole(value);
    else if (key === 'debug') debug = true;
    else return undefined;
  }
  const [host, server] = operands;
  if (host === undefined || operands.length > 2) return undefined;
  return { host, server, types, port, timeoutMs, tries: Math.max(1, tries), debug };
}

function whole(text = ''): number {
  if (!/^\d+$/.test(text)) throw new LookupError(`invalid number '${text}'`);
  return Number(text);
}

async function look(run: Invocation, settings: Settings): Promise<number> {
  const { container, signal } = run.context;
  const { port, debug } = settings;
  const { server, given } = await findServer(run, settings.server);
  const questions = questionsFor(settings, container.resolver.config().search);
  const answers = await Promise.all(questions.map((question) => ask(run, settings, server, question)));
  if (signal.aborted) return 1;
  if (answers.every((answer) => answer === undefined)) {
    await run.print(';; connection timed out; no servers could be reached\n\n');
    return 1;
  }
  await run.print(`Server:\t\t${given}\nAddress:\t${server}:${port}\n\n`);
  let code = 0;
  for (const [index, answer] of answers.entries()) {
    if (debug) await run.print(`Query #${index} completed in ${Math.floor(answer?.durationMs ?? 0)}ms:\n`);
    if (!(await print(run, questions[index]?.name ?? '', answer, debug))) code = 1;
  }
  return code;
}

async function findServer(run: Invocation, given: string | undefined): Promise<{ server: string; given: string }> {
  const { resolver } = run.context.container;
  if (given === undefined) {
    const [server = '127.0.0.1'] = resolver.config().nameservers;
    return { server, given: server };
  }
  try {
    // `10.96.0.10:53` is accepted too.
    return { server: await resolver.lookupOne(given.replace(/:\d+$/, ''), run.context.signal), given };
  } catch (error) {
    if (error instanceof ResolveError) throw new LookupError(`bad address '${given}'`);
    throw error;
  }
}

function questionsFor({ host, types }: Settings, search: readonly string[]): Question[] {
  if (types.length === 0 && literalAddress(host) !== undefined) return [{ name: reverseName(host), type: 'PTR' }];
  const wanted: readonly RecordType[] = types.length === 0 ? ['A', 'AAAA'] : types;
  return wanted.flatMap((type) => {
    const plain = type === 'PTR' || search.length === 0 || host.includes('.');
    return plain ? [{ name: host, type }] : search.map((domain) => ({ name: `${host}.${domain}`, type }));
  });
}

async function ask(
  run: Invocation,
  { port, timeoutMs, tries }: Settings,
  server: string,
  { name, type }: Question,
): Promise<DnsAnswer | undefined> {
  const { container, signal } = run.context;
  for (let attempt = 0; attempt < tries && !signal.aborted; attempt++) {
    try {
      const query = { server, port, name, type, timeoutMs: timeoutMs / tries, ignoreTruncation: true };
      return await queryDns(container.network, query, signal);
    } catch (error) {
      if (error instanceof DnsTimeoutError) continue;
      if (!(error instanceof SocketError)) throw error;
      const sentence = socketErrorText(error.code);
      if (error.syscall === 'connect') throw new LookupError(`can't connect to remote host (${server}): ${sentence}`);
      if (attempt === 0 && type !== 'AAAA') await run.complain(`write to '${server}': ${sentence}`);
    }
  }
  return undefined;
}

/** False when the server said that there is no such name, or nothing. */
async function print(run: Invocation, name: string, answer: DnsAnswer | undefined, debug: boolean): Promise<boolean> {
  if (answer === undefined) {
    await run.print(`*** Can't find ${name}: No answer\n\n`);
    return false;
  }
  const { packet } = answer;
  if (packet.rcode !== 'NOERROR') {
    await run.print(`** server can't find ${name}: ${packet.rcode}\n\n`);
    return false;
  }
  if (!packet.flag_aa) await run.print('Non-authoritative answer:\n');
  else if (debug) await run.print('authoritative answer:\n');
  for (const record of packet.answers ?? []) await run.print(`${lookupText(record, { full: false })}\n`);
  await run.print('\n');
  return true;
}
