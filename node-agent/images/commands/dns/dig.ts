/** dig of bind 9.18: asks for records and prints the whole message. Exit codes: 0 a reply came, 9 none did, 10 bad input. */
import type { RecordType } from 'dns-packet';
import type { DnsAnswer } from '../../../../shared/podnet/dns-query.ts';
import type { ResolvConf } from '../../../../shared/podnet/resolv-conf.ts';
import { formatDate } from '../../coreutils/system.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import {
  askServers,
  BIND_VERSION,
  type BindOutcome,
  type BindQuery,
  type BindServer,
  bindCandidates,
  bindServers,
  nameFault,
  UnknownServerError,
} from './bind-client.ts';
import { type DigCommand, type DigLookup, DigUsageError, parseDig } from './dig-options.ts';
import { headerText, optText, questionSection, recordLine, recordSection, type TextStyle } from './message-text.ts';
import { dotted, recordData, undotted } from './record-text.ts';

const NO_REPLY = 9;
const BAD_INPUT = 10;
const COOKIE_BYTES = 8;

export const dig: Utility = async (run) => {
  if (run.args[0] === '-v') {
    await write(run.context.stderr, `DiG ${BIND_VERSION}\n`);
    return 0;
  }
  try {
    const command = parseDig(run.args);
    for (const warning of command.warnings) await write(run.context.stderr, `${warning}\n`);
    return await new Dig(run, command).run();
  } catch (error) {
    if (error instanceof DigUsageError) {
      await write(run.context.stderr, error.message);
      return error.exitCode;
    }
    if (!(error instanceof UnknownServerError)) throw error;
    await run.complain(error.message);
    return 1;
  }
};

class Dig {
  private readonly invocation: Invocation;
  private readonly command: DigCommand;
  /** Printed with the first message, or with the first failure. */
  private banner = '';

  constructor(invocation: Invocation, command: DigCommand) {
    this.invocation = invocation;
    this.command = command;
  }

  async run(): Promise<number> {
    const { lookups, bannerAtFirst } = this.command;
    if (bannerAtFirst) this.banner = bannerText(this.invocation.args, lookups[0]?.servers.length ?? 0);
    let code = 0;
    for (const lookup of lookups) {
      const fault = nameFault(lookup.name);
      if (fault !== undefined) {
        await this.invocation.complain(`'${lookup.name}' is not a legal name (${fault})`);
        return BAD_INPUT;
      }
      code = await this.look(lookup);
    }
    return code;
  }

  private async look(lookup: DigLookup): Promise<number> {
    const { container, signal } = this.invocation.context;
    const servers = await serversOf(lookup, (given) => bindServers(container, given, signal));
    const cookie = lookup.cookie && lookup.edns ? crypto.getRandomValues(new Uint8Array(COOKIE_BYTES)) : undefined;
    let outcome: BindOutcome = { kind: 'silence' };
    for (const name of namesOf(lookup, this.command, container.resolver.config())) {
      outcome = await this.ask(lookup, servers, queryOf(lookup, name, cookie));
      if (outcome.kind !== 'answer' || outcome.answer.packet.rcode !== 'NXDOMAIN') break;
    }
    if (outcome.kind === 'answer') {
      await this.printMessage(lookup, outcome.answer, outcome.server, cookie);
      return 0;
    }
    if (outcome.kind === 'silence') {
      await this.takeBanner(true);
      await this.invocation.print(';; no servers could be reached\n');
    }
    return NO_REPLY;
  }

  private ask(lookup: DigLookup, servers: readonly BindServer[], query: BindQuery): Promise<BindOutcome> {
    const settings = { servers, port: this.command.port, timeoutMs: lookup.timeoutS * 1000, tries: lookup.tries };
    const say = (line: string): Promise<void> => this.invocation.print(`${line}\n`);
    return askServers(this.invocation.context, settings, query, undotted(lookup.name), say);
  }

  private async takeBanner(wanted: boolean): Promise<void> {
    const { banner } = this;
    this.banner = '';
    if (wanted) await this.invocation.print(banner);
  }

  private async printMessage(
    lookup: DigLookup,
    answer: DnsAnswer,
    server: BindServer,
    cookie: Uint8Array | undefined,
  ): Promise<void> {
    const { short, banner } = this.command;
    await this.takeBanner(banner && !short);
    if (short) await this.printShort(lookup, answer, server);
    else if (lookup.type !== 'AXFR') await this.invocation.print(sectionsText(lookup, answer, cookie));
    else if (!(await this.printTransfer(lookup, answer))) return;
    if (short) return;
    if (lookup.stats) await this.invocation.print(this.statsText(answer, server));
    else if (lookup.identify) {
      const where = `${answer.server.address}#${answer.server.port}(${server.given})`;
      await this.invocation.print(`;; Received ${answer.bytes} bytes from ${where} in ${this.timeText(answer)}\n\n`);
    }
  }

  private async printShort(lookup: DigLookup, answer: DnsAnswer, server: BindServer): Promise<void> {
    const ending = lookup.identify ? ` from server ${server.address} in ${Math.floor(answer.durationMs)} ms.` : '';
    for (const record of answer.packet.answers ?? []) await this.invocation.print(`${recordData(record)}${ending}\n`);
  }

  /** Whether it is a whole zone, which begins and ends with its SOA (RFC 5936 section 2.2). */
  private async printTransfer(lookup: DigLookup, answer: DnsAnswer): Promise<boolean> {
    const records = answer.packet.answers ?? [];
    for (const record of records) await this.invocation.print(`${recordLine(record, styleOf(lookup))}\n`);
    const whole = records.length > 1 && records[0]?.type === 'SOA' && records.at(-1)?.type === 'SOA';
    if (!whole) await this.invocation.print('; Transfer failed.\n');
    return whole;
  }

  private statsText(answer: DnsAnswer, server: BindServer): string {
    const { server: from, transport, bytes } = answer;
    return (
      `;; Query time: ${this.timeText(answer)}\n` +
      `;; SERVER: ${from.address}#${from.port}(${server.given}) (${transport})\n` +
      `;; WHEN: ${formatDate(new Date(), '%a %b %d %H:%M:%S UTC %Y')}\n;; MSG SIZE  rcvd: ${bytes}\n\n`
    );
  }

  private timeText({ durationMs }: DnsAnswer): string {
    return this.command.microseconds ? `${Math.floor(durationMs * 1000)} usec` : `${Math.floor(durationMs)} msec`;
  }
}

function bannerText(args: readonly string[], serverCount: number): string {
  const words = args.length === 0 ? '' : ` ${args.join(' ')}`;
  const found = serverCount === 0 ? '' : `; (${serverCount} server${serverCount === 1 ? '' : 's'} found)\n`;
  return `\n; <<>> DiG ${BIND_VERSION} <<>>${words}\n${found};; global options: +cmd\n`;
}

async function serversOf(
  lookup: DigLookup,
  find: (given: string | undefined) => Promise<readonly BindServer[]>,
): Promise<readonly BindServer[]> {
  if (lookup.servers.length === 0) return find(undefined);
  const servers: BindServer[] = [];
  for (const given of lookup.servers) servers.push(...(await find(given)));
  return servers;
}

function namesOf(lookup: DigLookup, command: DigCommand, conf: ResolvConf): readonly string[] {
  if (!lookup.search) return [undotted(lookup.name)];
  const search = command.domain === undefined ? conf.search : [command.domain];
  return bindCandidates(lookup.name, { search, ndots: command.ndots ?? conf.ndots });
}

function queryOf(lookup: DigLookup, name: string, cookie: Uint8Array | undefined): BindQuery {
  const type: RecordType = lookup.type ?? 'A';
  return {
    name,
    type,
    recordClass: lookup.recordClass,
    tcp: lookup.tcp || type === 'AXFR',
    ignoreTruncation: lookup.ignoreTruncation,
    recursionDesired: lookup.recurse,
    authenticData: lookup.authenticData,
    checkingDisabled: lookup.checkingDisabled,
    ednsPayloadBytes: lookup.edns ? lookup.payloadBytes : undefined,
    dnssecOk: lookup.dnssec,
    cookie,
    id: lookup.id,
  };
}

function styleOf(lookup: DigLookup): TextStyle {
  const { comments, ttl, showsClass, multiline } = lookup;
  return { comments, ttl, recordClass: showsClass, multiline };
}

function sectionsText(lookup: DigLookup, { packet }: DnsAnswer, cookie: Uint8Array | undefined): string {
  const style = styleOf(lookup);
  return [
    lookup.comments ? commentsText(packet) + optText(packet, cookie) : '',
    lookup.question ? questionSection(packet.questions, style) : '',
    lookup.answer ? recordSection('ANSWER', packet.answers, style) : '',
    lookup.authority ? recordSection('AUTHORITY', packet.authorities, style) : '',
    lookup.additional ? recordSection('ADDITIONAL', packet.additionals, style) : '',
  ].join('');
}

function commentsText(packet: DnsAnswer['packet']): string {
  const isLocal = packet.questions?.some(({ name }) => /(^|\.)local\.$/i.test(dotted(name))) ?? false;
  const multicast =
    ';; WARNING: .local is reserved for Multicast DNS\n' +
    ';; You are currently testing what happens when an mDNS query is leaked to DNS\n';
  const refused = packet.flag_rd && !packet.flag_ra;
  return (
    `;; Got answer:\n${isLocal ? multicast : ''}${headerText(packet)}` +
    `${refused ? ';; WARNING: recursion requested but not available\n' : ''}\n`
  );
}
