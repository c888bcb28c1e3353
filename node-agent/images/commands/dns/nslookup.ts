/** nslookup as busybox 1.36 has it: `nslookup [-type=T] [-port=N] NAME [SERVER]`. */
import type { Answer, RecordType } from 'dns-packet';
import { type DnsAnswer, DnsTimeoutError, queryDns } from '../../../../shared/podnet/dns-query.ts';
import { searchCandidates } from '../../../../shared/podnet/resolv-conf.ts';
import { literalAddress, ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { recordData, reverseName } from './record-text.ts';

interface Settings {
  readonly types: readonly string[];
  readonly port: number;
  readonly timeoutMs: number;
  readonly retries: number;
}

export const nslookup: Utility = async (run) => {
  const options = run.args.filter((arg) => arg.startsWith('-'));
  const [name, serverName] = run.args.filter((arg) => !arg.startsWith('-'));
  if (name === undefined) throw new UsageError('usage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]');
  const value = (key: string): string | undefined =>
    options.find((option) => option.startsWith(`-${key}=`))?.split('=')[1];
  const { resolver } = run.context.container;
  const conf = resolver.config();
  let server = conf.nameservers[0] ?? '127.0.0.1';
  try {
    if (serverName !== undefined) server = await resolver.lookupOne(serverName, run.context.signal);
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error;
    await run.complain(`bad address '${serverName}'`);
    return 1;
  }
  const type = (value('type') ?? value('querytype') ?? value('query') ?? value('q'))?.toUpperCase();
  const isAddress = literalAddress(name) !== undefined;
  const settings: Settings = {
    types: type !== undefined ? [type] : isAddress ? ['PTR'] : ['A', 'AAAA'],
    port: Number(value('port') ?? 53),
    timeoutMs: Number(value('timeout') ?? conf.timeoutMs / 1000) * 1000,
    retries: Number(value('retry') ?? conf.attempts),
  };
  await run.print(`Server:\t\t${server}\nAddress:\t${server}:${settings.port}\n\n`);
  if (isAddress) return lookup(run, reverseName(name), server, settings);
  const candidates = searchCandidates(name, conf);
  for (const [index, candidate] of candidates.entries()) {
    const isLast = index === candidates.length - 1;
    const code = await lookup(run, candidate, server, settings, isLast);
    if (code === 0 || code === TIMED_OUT || isLast) return code === 0 ? 0 : 1;
  }
  return 1;
};

const TIMED_OUT = 2;

/** Prints what the server says of a name; a name without an answer is silent unless it is the last candidate. */
async function lookup(
  run: Invocation,
  name: string,
  server: string,
  settings: Settings,
  complains = true,
): Promise<number> {
  const answers = await Promise.all(settings.types.map((type) => ask(run, name, type, server, settings)));
  if (answers.every((answer) => answer === undefined)) {
    await run.print(`;; connection timed out; no servers could be reached\n\n`);
    return TIMED_OUT;
  }
  const found = answers.some((answer) => (answer?.packet.answers?.length ?? 0) > 0);
  const rcode = answers.find((answer) => answer !== undefined)?.packet.rcode ?? 'NOERROR';
  if (!found && !complains) return 1;
  for (const answer of answers) {
    if (answer === undefined) continue;
    if (answer.packet.rcode !== 'NOERROR') await run.print(`** server can't find ${name}: ${answer.packet.rcode}\n\n`);
    else if ((answer.packet.answers ?? []).length === 0)
      await run.print(settings.types.length > 1 && found ? '\n' : `*** Can't find ${name}: No answer\n\n`);
    else await printRecords(run, answer.packet.answers ?? [], answer.packet.flag_aa);
  }
  return found && rcode === 'NOERROR' ? 0 : 1;
}

async function ask(
  run: Invocation,
  name: string,
  type: string,
  server: string,
  settings: Settings,
): Promise<DnsAnswer | undefined> {
  for (let attempt = 0; attempt < settings.retries; attempt++) {
    try {
      const query = { server, port: settings.port, name, type: type as RecordType, timeoutMs: settings.timeoutMs };
      return await queryDns(run.context.container.network, query, run.context.signal);
    } catch (error) {
      if (!(error instanceof DnsTimeoutError) && socketErrorCode(error) === undefined) throw error;
      if (run.context.signal.aborted) return undefined;
    }
  }
  return undefined;
}

async function printRecords(run: Invocation, records: readonly Answer[], authoritative: boolean): Promise<void> {
  if (!authoritative) await run.print('Non-authoritative answer:\n');
  for (const record of records) await run.print(`${describe(record)}\n`);
  await run.print('\n');
}

function describe(record: Answer): string {
  const name = record.name;
  const data = recordData(record).replace(/\.$/, '');
  switch (record.type) {
    case 'A':
    case 'AAAA':
      return `Name:\t${name}\nAddress: ${data}`;
    case 'CNAME':
      return `${name}\tcanonical name = ${data}`;
    case 'PTR':
      return `${name}\tname = ${data}`;
    case 'SRV':
      return `${name}\tservice = ${data}`;
    case 'MX':
      return `${name}\tmail exchanger = ${data}`;
    case 'NS':
      return `${name}\tnameserver = ${data}`;
    case 'TXT':
      return `${name}\ttext = ${data}`;
    case 'SOA': {
      const [origin, mail, serial, refresh, retry, expire, minimum] = recordData(record).split(' ');
      return `${name}\n\torigin = ${origin?.replace(/\.$/, '')}\n\tmail addr = ${mail?.replace(/\.$/, '')}\n\tserial = ${serial}\n\trefresh = ${refresh}\n\tretry = ${retry}\n\texpire = ${expire}\n\tminimum = ${minimum}`;
    }
    default:
      return `${name}\t${record.type} ${data}`;
  }
}
