/** host of bind 9.18: `host [-options] name [server]`. Exit codes: 0 found or no such record, 1 anything else. */
import type { Answer, RecordType } from 'dns-packet';
import type { DnsAnswer } from '../../../../shared/podnet/dns-query.ts';
import { literalAddress } from '../../../../shared/podnet/resolver.ts';
import { reverseName } from '../../../../shared/podnet/reverse-name.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import {
  askServers,
  BIND_VERSION,
  type BindOutcome,
  type BindServer,
  bindCandidates,
  bindServers,
  nameFault,
  UnknownServerError,
} from './bind-client.ts';
import { headerText, PLAIN_STYLE, questionSection, recordSection } from './message-text.ts';
import { rcodeNumber } from './rcode.ts';
import { dotted, recordData, undotted } from './record-text.ts';
import { parseRecordType, recordTypeText } from './record-type.ts';

const USAGE = `Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]
            [-R number] [-m flag] [-p port] hostname [server]
       -a is equivalent to -v -t ANY
       -c specifies query class for non-IN data
       -N changes the number of dots allowed before root lookup is done
       -p specifies the port on the server to query
       -r disables recursive processing
       -R specifies number of retries for UDP packets
       -t specifies the query type
       -T enables TCP/IP mode
       -v enables verbose output
       -V print version number and exit
       -W specifies how long to wait for a reply
       -4 use IPv4 query transport only
`;

const PHRASES: Readonly<Record<string, string>> = {
  A: 'has address',
  AAAA: 'has IPv6 address',
  CNAME: 'is an alias for',
  PTR: 'domain name pointer',
  SOA: 'has SOA record',
  MX: 'mail is handled by',
  NS: 'name server',
  TXT: 'descriptive text',
};

export const host: Utility = async (run) => {
  try {
    const options = parseOptions(run.args, { flags: 'aCdilrsTUvVw46', values: 'cNtWRmp' });
    if (options.has('V')) {
      await write(run.context.stderr, `host ${BIND_VERSION}\n`);
      return 0;
    }
    const [name, server] = options.operands;
    if (name === undefined) throw new UsageError('');
    return await lookUp(run, options, name, server);
  } catch (error) {
    if (error instanceof UnknownServerError) {
      await run.complain(error.message);
      return 1;
    }
    if (!(error instanceof UsageError)) throw error;
    const sentence = error.message.replace(/^unrecognized option: /, 'illegal option -- ');
    const words = sentence.replace(/^option requires an argument: /, 'option requires an argument -- ');
    await write(run.context.stderr, words === '' ? USAGE : `host: ${words}\n${USAGE}`);
    return 1;
  }
};

async function lookUp(
  run: Invocation,
  options: ParsedOptions,
  name: string,
  server: string | undefined,
): Promise<number> {
  const typeText = options.has('a') ? 'ANY' : options.value('t');
  const type = typeText === undefined ? undefined : parseRecordType(typeText);
  if (typeText !== undefined && type === undefined) {
    await run.complain(`invalid type: ${typeText}\n`);
    return 2;
  }
  const servers = await bindServers(run.context.container, server, run.context.signal);
  const fault = nameFault(name);
  if (fault !== undefined) {
    await run.complain(`'${name}' is not in legal name syntax (${fault})`);
    return 1;
  }
  return new HostLookup(run, options, servers, server !== undefined).run(name, type);
}

class HostLookup {
  private readonly invocation: Invocation;
  private readonly options: ParsedOptions;
  private readonly servers: readonly BindServer[];
  private readonly verbose: boolean;
  private announcesServer: boolean;

  constructor(
    invocation: Invocation,
    options: ParsedOptions,
    servers: readonly BindServer[],
    announcesServer: boolean,
  ) {
    this.invocation = invocation;
    this.options = options;
    this.servers = servers;
    this.announcesServer = announcesServer;
    this.verbose = options.has('v') || options.has('a') || options.has('d');
  }

  /** Without a type: an address' name, or all that leads to a host (A, AAAA, MX). */
  async run(name: string, type: RecordType | undefined): Promise<number> {
    const address = literalAddress(name);
    if (address !== undefined) {
      const reversed = reverseName(name);
      // As bind shows them: with the final dot for IPv4 only.
      return this.one([reversed], address.family === 4 ? dotted(reversed) : reversed, type ?? 'PTR', true);
    }
    const conf = this.invocation.context.container.resolver.config();
    const candidates = bindCandidates(name, { ...conf, ndots: this.options.number('N') ?? conf.ndots });
    if (type !== undefined) return this.one(candidates, name, type, true);
    const first = await this.search(candidates, name, 'A');
    if (!(await this.report(first, name, 'A', false)) || first.kind !== 'answer') return 1;
    const target = aliasTarget(first.answer);
    let code = 0;
    for (const further of ['AAAA', 'MX'] as const) code = Math.max(code, await this.one([target], target, further));
    return code;
  }

  private async one(candidates: readonly string[], name: string, type: RecordType, explicit = false): Promise<number> {
    return (await this.report(await this.search(candidates, name, type), name, type, explicit)) ? 0 : 1;
  }

  private async search(candidates: readonly string[], name: string, type: RecordType): Promise<BindOutcome> {
    const { options } = this;
    const settings = {
      servers: this.servers,
      port: options.number('p') ?? 53,
      timeoutMs: (options.number('W') ?? 5) * 1000,
      tries: (options.number('R') ?? 1) + 1,
    };
    const say = (line: string): Promise<void> => this.invocation.print(`${line}\n`);
    let outcome: BindOutcome = { kind: 'silence' };
    for (const candidate of candidates) {
      if (this.verbose) await say(`Trying "${candidate}"`);
      const query = { name: candidate, type, tcp: options.has('T'), recursionDesired: !options.has('r') };
      outcome = await askServers(this.invocation.context, settings, query, undotted(name), say);
      if (outcome.kind !== 'answer' || outcome.answer.packet.rcode !== 'NXDOMAIN') break;
    }
    return outcome;
  }

  /** Prints what came; false when it is a failure. */
  private async report(outcome: BindOutcome, name: string, type: RecordType, explicit: boolean): Promise<boolean> {
    if (outcome.kind !== 'answer') {
      if (outcome.kind === 'silence') await this.invocation.print(';; no servers could be reached\n');
      return false;
    }
    const { answer, server } = outcome;
    const { packet } = answer;
    if (this.announcesServer) {
      const where = `${answer.server.address}#${answer.server.port}`;
      await this.invocation.print(`Using domain server:\nName: ${server.given}\nAddress: ${where}\nAliases: \n\n`);
      this.announcesServer = false;
    }
    const asked = packet.questions?.[0]?.name ?? name;
    if (packet.rcode !== 'NOERROR') {
      const shown = packet.rcode === 'NXDOMAIN' ? name : asked;
      await this.invocation.print(`Host ${shown} not found: ${rcodeNumber(packet.rcode)}(${packet.rcode})\n`);
      return false;
    }
    if (this.verbose) await this.invocation.print(verboseText(answer));
    else await this.printAnswers(packet.answers ?? [], asked, type, explicit);
    return true;
  }

  private async printAnswers(
    answers: readonly Answer[],
    name: string,
    type: RecordType,
    explicit: boolean,
  ): Promise<void> {
    for (const record of answers) {
      const phrase = PHRASES[record.type] ?? `has ${recordTypeText(record.type)} record`;
      await this.invocation.print(`${record.name} ${phrase} ${recordData(record)}\n`);
    }
    if (answers.length === 0 && explicit) {
      await this.invocation.print(`${name} has no ${recordTypeText(type)} record\n`);
    }
  }
}

/** Where the chain of CNAMEs ends; AAAA and MX are asked of that name. */
export function aliasTarget({ packet }: DnsAnswer): string {
  let name = packet.questions?.[0]?.name ?? '';
  for (const record of packet.answers ?? []) {
    if (record.type === 'CNAME' && record.name.toLowerCase() === name.toLowerCase()) name = record.data;
  }
  return name;
}

function verboseText(answer: DnsAnswer): string {
  const { packet, server, bytes, durationMs } = answer;
  return [
    `${headerText(packet)}\n`,
    questionSection(packet.questions, PLAIN_STYLE),
    recordSection('ANSWER', packet.answers, PLAIN_STYLE),
    recordSection('AUTHORITY', packet.authorities, PLAIN_STYLE),
    recordSection('ADDITIONAL', packet.additionals, PLAIN_STYLE),
    `Received ${bytes} bytes from ${server.address}#${server.port} in ${Math.floor(durationMs)} ms\n`,
  ].join('');
}
