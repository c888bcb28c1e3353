/** nslookup of bind 9.18: one lookup from the command line, or commands from standard input. */
import type { RecordType } from 'dns-packet';
import type { DnsAnswer } from '../../../../shared/podnet/dns-query.ts';
import { literalAddress } from '../../../../shared/podnet/resolver.ts';
import { reverseName } from '../../../../shared/podnet/reverse-name.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { readLine, write } from '../../program-io.ts';
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
import { aliasTarget } from './host.ts';
import { lookupText } from './lookup-text.ts';
import { parseRecordType } from './record-type.ts';

const USAGE = `Usage:
   nslookup [-opt ...]             # interactive mode using default server
   nslookup [-opt ...] - server    # interactive mode using 'server'
   nslookup [-opt ...] host        # just look up 'host' using default server
   nslookup [-opt ...] host server # just look up 'host' using 'server'
`;

export const nslookup: Utility = async (run) => {
  const session = new Session(run);
  let words = [...run.args];
  while (words[0]?.startsWith('-') && words[0] !== '-') {
    const option = (words.shift() ?? '').slice(1);
    if (option === 'version') {
      await run.print(`nslookup ${BIND_VERSION}\n`);
      return 0;
    }
    await session.set(option);
  }
  if (words.length > 2) {
    await write(run.context.stderr, USAGE);
    return 1;
  }
  const [name, server] = words;
  words = [];
  try {
    if (server !== undefined) await session.useServer(server);
    if (name === undefined || name === '-') await session.interact();
    else await session.look(name);
  } catch (error) {
    if (!(error instanceof UnknownServerError)) throw error;
    await run.complain(error.message);
    return 1;
  }
  return session.code;
};

class Session {
  code = 0;
  private readonly invocation: Invocation;
  private server: string | undefined;
  /** Undefined looks for addresses of both families, or the name of an address. */
  private type: RecordType | undefined;
  private port = 53;
  private timeoutMs = 5000;
  private tries = 3;
  private tcp = false;
  private recurse = true;
  private search = true;
  private domain: string | undefined;

  constructor(invocation: Invocation) {
    this.invocation = invocation;
  }

  /** `type=MX`, `port=5353`, `vc`, ... */
  async set(option: string): Promise<void> {
    const [key = '', value = ''] = option.split('=');
    switch (key.toLowerCase()) {
      case 'type':
      case 'ty':
      case 'querytype':
      case 'query':
      case 'qu':
      case 'q':
        await this.setType(value);
        return;
      case 'port':
        this.port = await this.whole(value, 'port number', this.port);
        return;
      case 'timeout':
        this.timeoutMs = Math.max(1, await this.whole(value, 'timeout', this.timeoutMs / 1000)) * 1000;
        return;
      case 'retry':
        this.tries = Math.max(1, await this.whole(value, 'tries', this.tries));
        return;
      case 'domain':
        this.domain = value;
        this.search = true;
        return;
      default:
        await this.setSwitch(key);
    }
  }

  private async setSwitch(key: string): Promise<void> {
    switch (key) {
      case 'vc':
      case 'novc':
        this.tcp = key === 'vc';
        return;
      case 'recurse':
      case 'norecurse':
        this.recurse = key === 'recurse';
        return;
      case 'search':
      case 'nosearch':
        this.search = key === 'search';
        return;
      case 'all':
      case 'class':
      case 'debug':
      case 'nodebug':
      case 'd2':
      case 'nod2':
      case 'fail':
      case 'nofail':
      case 'defname':
      case 'nodefname':
      case 'sil':
        return;
      default:
        await this.invocation.print(`*** Invalid option: ${key}\n`);
    }
  }

  private async setType(text: string): Promise<void> {
    const type = parseRecordType(text);
    if (type === undefined) await this.invocation.print(`unknown query type: ${text}\n`);
    else this.type = type;
  }

  private async whole(text: string, what: string, standard: number): Promise<number> {
    if (/^\d+$/.test(text)) return Number(text);
    await this.invocation.print(`invalid ${what} '${text}': not a valid number\nCouldn't parse ${what}\n`);
    return standard;
  }

  /** Throws `UnknownServerError`. */
  async useServer(given: string): Promise<BindServer | undefined> {
    const { container, signal } = this.invocation.context;
    const [server] = await bindServers(container, given, signal);
    this.server = given;
    return server;
  }

  /** Commands a line each, until `exit` or the end of input. */
  async interact(): Promise<void> {
    const { stdin, standardFiles, signal } = this.invocation.context;
    for (;;) {
      if (standardFiles.stdin.isTerminal) await this.invocation.print('> ');
      const line = await readLine(stdin, signal);
      if (line === undefined) break;
      const words = line.trim().split(/\s+/);
      if (words[0] === 'exit') break;
      await this.command(words);
    }
    await this.invocation.print('\n');
  }

  private async command([verb = '', argument = '']: readonly string[]): Promise<void> {
    if (verb === '') return;
    if (verb === 'set') await this.set(argument);
    else if (verb === 'server' || verb === 'lserver') {
      const server = await this.useServer(argument);
      await this.invocation.print(`Default server: ${argument}\nAddress: ${server?.address}#${this.port}\n`);
    } else {
      if (argument !== '') await this.useServer(argument);
      await this.lookOnce(verb);
    }
  }

  async look(name: string): Promise<void> {
    if (await this.lookOnce(name)) await this.invocation.print('\n');
  }

  /** False when the name is none. */
  private async lookOnce(name: string): Promise<boolean> {
    const fault = nameFault(name);
    if (fault !== undefined) {
      await this.invocation.complain(`'${name}' is not in legal name syntax (${fault})`);
      this.code = 1;
      return false;
    }
    const isAddress = literalAddress(name) !== undefined;
    const type = this.type ?? (isAddress ? 'PTR' : 'A');
    const conf = this.invocation.context.container.resolver.config();
    const search = this.domain === undefined ? conf.search : [this.domain];
    const candidates = isAddress ? [reverseName(name)] : bindCandidates(name, { ...conf, search });
    const outcome = await this.ask(this.search ? candidates : [candidates.at(-1) ?? name], name, type);
    if (outcome.kind !== 'answer') {
      this.code = 1;
      if (outcome.kind === 'silence') await this.invocation.print(';; no servers could be reached\n');
      return true;
    }
    if (this.type !== undefined || !isAddress) await this.printServer(outcome.server);
    const found = await this.printAnswer(outcome.answer, name, this.type !== undefined || isAddress);
    if (this.type === undefined && type === 'A' && outcome.answer.packet.rcode === 'NOERROR') {
      await this.lookForIpv6(outcome.answer, name, found);
    }
    return true;
  }

  private async lookForIpv6(answer: DnsAnswer, name: string, found: boolean): Promise<void> {
    const further = await this.ask([aliasTarget(answer)], name, 'AAAA');
    if (further.kind !== 'answer') return;
    await this.printAnswer(further.answer, name, !found);
  }

  private async ask(candidates: readonly string[], name: string, type: RecordType): Promise<BindOutcome> {
    const { context } = this.invocation;
    const servers = await bindServers(context.container, this.server, context.signal);
    const { port, timeoutMs, tries, tcp, recurse } = this;
    const passesOn = ({ packet }: DnsAnswer): string | undefined => {
      if (packet.rcode === 'SERVFAIL') return 'SERVFAIL reply';
      // Of a server that was named nobody expects recursion.
      return recurse && !packet.flag_ra && this.server === undefined ? 'recursion not available' : undefined;
    };
    const say = (line: string): Promise<void> => this.invocation.print(`${line}\n`);
    const settings = { servers, port, timeoutMs, tries, passesOn };
    let outcome: BindOutcome = { kind: 'silence' };
    for (const candidate of candidates) {
      const query = { name: candidate, type, tcp, recursionDesired: recurse };
      outcome = await askServers(context, settings, query, name, say);
      if (outcome.kind !== 'answer' || outcome.answer.packet.rcode !== 'NXDOMAIN') break;
    }
    return outcome;
  }

  private printServer(server: BindServer): Promise<void> {
    return this.invocation.print(`Server:\t\t${server.given}\nAddress:\t${server.address}#${this.port}\n\n`);
  }

  /** Whether there were records; `complains` says that there are none. */
  private async printAnswer({ packet }: DnsAnswer, name: string, complains: boolean): Promise<boolean> {
    if (packet.rcode !== 'NOERROR') {
      this.code = 1;
      await this.invocation.print(`** server can't find ${packet.questions?.[0]?.name ?? name}: ${packet.rcode}\n`);
      return false;
    }
    const records = packet.answers ?? [];
    const isFurther = packet.questions?.[0]?.type === 'AAAA' && this.type === undefined;
    if (!packet.flag_aa && records.length > 0 && !isFurther) await this.invocation.print('Non-authoritative answer:\n');
    for (const record of records) await this.invocation.print(`${lookupText(record, { full: true })}\n`);
    if (records.length === 0 && complains) await this.invocation.print(`*** Can't find ${name}: No answer\n`);
    return records.length > 0;
  }
}
