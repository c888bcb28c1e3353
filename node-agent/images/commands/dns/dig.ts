/** dig: `[@server] [-t type] [-x address] name [type] [+options]`, several queries on one line too. */
import type { Answer, RecordType } from 'dns-packet';
import { type DnsAnswer, DnsTimeoutError, queryDns } from '../../../../shared/podnet/dns-query.ts';
import { searchCandidates } from '../../../../shared/podnet/resolv-conf.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { formatDate } from '../../coreutils/system.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { dotted, recordData, reverseName } from './record-text.ts';

const VERSION = '9.18.33';
const TYPES = new Set([
  'A',
  'AAAA',
  'ANY',
  'AXFR',
  'CAA',
  'CNAME',
  'DNAME',
  'DNSKEY',
  'DS',
  'HINFO',
  'MX',
  'NAPTR',
  'NS',
  'PTR',
  'SOA',
  'SRV',
  'TXT',
]);

interface DigQuery {
  server: string | undefined;
  name: string;
  type: string;
  port: number;
  readonly flags: Map<string, string>;
}

export const dig: Utility = async (run) => {
  const queries = parse(run.args);
  let code = 0;
  for (const query of queries) code = Math.max(code, await ask(run, query, queries.length));
  return code;
};

function parse(args: readonly string[]): DigQuery[] {
  const shared = new Map<string, string>();
  const queries: DigQuery[] = [];
  let current: DigQuery | undefined;
  let server: string | undefined;
  let port = 53;
  const start = (name: string): DigQuery => {
    const query: DigQuery = { server, name, type: '', port, flags: new Map(shared) };
    queries.push(query);
    return query;
  };
  const words = [...args];
  let pendingType = '';
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word.startsWith('@')) {
      server = word.slice(1);
      if (current !== undefined) current.server = server;
    } else if (word.startsWith('+')) {
      const [name = '', value = ''] = word.slice(1).split('=');
      (current?.flags ?? shared).set(name.replace(/^no/, ''), name.startsWith('no') ? 'off' : value || 'on');
    } else if (word === '-x') {
      current = start(reverseName(words.shift() ?? ''));
      current.type = 'PTR';
    } else if (word === '-t') pendingType = (words.shift() ?? '').toUpperCase();
    else if (word === '-p') port = Number(words.shift() ?? 53);
    else if (word === '-q') current = start(words.shift() ?? '');
    else if (word === '-c' || word === '-b' || word === '-f') words.shift();
    else if (/^-[46]$/.test(word)) continue;
    else if (TYPES.has(word.toUpperCase()) && current !== undefined && current.type === '')
      current.type = word.toUpperCase();
    else if (TYPES.has(word.toUpperCase()) && current === undefined && words.length > 0 && pendingType === '')
      pendingType = word.toUpperCase();
    else if (word.toUpperCase() !== 'IN') {
      current = start(word);
      if (pendingType !== '') current.type = pendingType;
      pendingType = '';
    }
  }
  if (queries.length === 0) {
    const query = start('.');
    query.type = 'NS';
  }
  return queries;
}

async function ask(run: Invocation, query: DigQuery, queryCount: number): Promise<number> {
  const { resolver, network } = run.context.container;
  const conf = resolver.config();
  const on = (flag: string): boolean => query.flags.has(flag) && query.flags.get(flag) !== 'off';
  const off = (flag: string): boolean => query.flags.get(flag) === 'off';
  let servers: readonly string[];
  try {
    servers =
      query.server === undefined ? conf.nameservers : [await resolver.lookupOne(query.server, run.context.signal)];
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error;
    await run.print(`dig: couldn't get address for '${query.server}': not found\n`);
    return 10;
  }
  const names =
    on('search') && !query.name.endsWith('.')
      ? searchCandidates(query.name, conf)
      : [query.name.replace(/(.)\.$/, '$1')];
  const timeoutMs = (Number(query.flags.get('time') || query.flags.get('timeout')) || 5) * 1000;
  const tries =
    Number(query.flags.get('tries')) || (query.flags.has('retry') ? Number(query.flags.get('retry')) + 1 : 3);
  if (!on('short') && !off('cmd') && !(off('all') && !on('cmd'))) await banner(run, query, queryCount);
  let answer: DnsAnswer | undefined;
  for (const name of names) {
    answer = undefined;
    for (let attempt = 0; attempt < tries && answer === undefined; attempt++) {
      for (const server of servers) {
        try {
          answer = await queryDns(
            network,
            {
              server,
              port: query.port,
              name,
              type: (query.type || 'A') as RecordType,
              timeoutMs,
              tcp: on('tcp') || on('vc'),
              ignoreTruncation: on('ignore'),
              recursionDesired: !off('rec') && !off('recurse'),
              ednsPayloadBytes: off('edns') ? undefined : 1232,
            },
            run.context.signal,
          );
          break;
        } catch (error) {
          const code = socketErrorCode(error);
          if (code === undefined && !(error instanceof DnsTimeoutError)) throw error;
          if (run.context.signal.aborted) return 9;
          const sentence =
            code === 'ECONNREFUSED'
              ? 'connection refused'
              : code === undefined
                ? 'timed out'
                : code === 'EHOSTUNREACH'
                  ? 'host unreachable'
                  : 'network unreachable';
          await run.print(
            code === undefined
              ? `;; communications error to ${server}#${query.port}: timed out\n`
              : `;; communications error to ${server}#${query.port}: ${sentence}\n`,
          );
        }
      }
    }
    if (answer !== undefined && (answer.packet.answers ?? []).length > 0) break;
  }
  if (answer === undefined) {
    await run.print(`${on('short') ? '' : '\n'};; no servers could be reached\n`);
    return 9;
  }
  if (on('short')) {
    for (const record of answer.packet.answers ?? []) await run.print(`${recordData(record)}\n`);
    return 0;
  }
  await printAnswer(run, query, answer);
  return 0;
}

async function banner(run: Invocation, query: DigQuery, queryCount: number): Promise<void> {
  await run.print(`\n; <<>> DiG ${VERSION} <<>> ${run.args.join(' ')}\n`);
  if (query.server !== undefined && queryCount === 1) await run.print(`; (1 server found)\n`);
  await run.print(';; global options: +cmd\n');
}

async function printAnswer(run: Invocation, query: DigQuery, answer: DnsAnswer): Promise<void> {
  const shows = (section: string): boolean => {
    const value = query.flags.get(section);
    if (value !== undefined) return value !== 'off';
    return query.flags.get('all') !== 'off';
  };
  const { packet } = answer;
  if (shows('comments')) {
    const flags = [
      ['qr', true],
      ['aa', packet.flag_aa],
      ['tc', packet.flag_tc],
      ['rd', packet.flag_rd],
      ['ra', packet.flag_ra],
      ['ad', packet.flag_ad],
    ] as const;
    const counts = `QUERY: ${packet.questions?.length ?? 0}, ANSWER: ${packet.answers?.length ?? 0}, AUTHORITY: ${packet.authorities?.length ?? 0}, ADDITIONAL: ${packet.additionals?.length ?? 0}`;
    await run.print(
      `;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: ${packet.rcode}, id: ${packet.id}\n;; flags: ${flags
        .filter(([, set]) => set)
        .map(([name]) => name)
        .join(' ')}; ${counts}\n`,
    );
    const opt = packet.additionals?.find((record) => record.type === 'OPT');
    await run.print(
      opt === undefined
        ? '\n'
        : `\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: ${opt.type === 'OPT' ? opt.udpPayloadSize : 0}\n`,
    );
  }
  if (shows('question')) {
    if (shows('comments')) await run.print(';; QUESTION SECTION:\n');
    for (const question of packet.questions ?? [])
      await run.print(`;${tabbed(dotted(question.name), 31)}${question.class ?? 'IN'}\t${question.type}\n`);
    await run.print('\n');
  }
  await section(run, 'ANSWER', packet.answers, shows('answer'), shows('comments'));
  await section(run, 'AUTHORITY', packet.authorities, shows('authority'), shows('comments'));
  await section(
    run,
    'ADDITIONAL',
    packet.additionals?.filter((record) => record.type !== 'OPT'),
    shows('additional'),
    shows('comments'),
  );
  if (shows('stats')) {
    const when = formatDate(new Date(), '%a %b %d %H:%M:%S UTC %Y');
    await run.print(
      `;; Query time: ${Math.round(answer.durationMs)} msec\n;; SERVER: ${answer.server.address}#${answer.server.port}(${answer.server.address}) (${answer.transport})\n;; WHEN: ${when}\n;; MSG SIZE  rcvd: ${answer.bytes}\n\n`,
    );
  }
}

async function section(
  run: Invocation,
  title: string,
  records: readonly Answer[] | undefined,
  shown: boolean,
  comments: boolean,
): Promise<void> {
  if (!shown || records === undefined || records.length === 0) return;
  if (comments) await run.print(`;; ${title} SECTION:\n`);
  for (const record of records) {
    const ttl = 'ttl' in record ? (record.ttl ?? 0) : 0;
    const recordClass = 'class' in record && record.class !== undefined ? record.class : 'IN';
    await run.print(
      `${tabbed(`${tabbed(dotted(record.name), 24)}${ttl}`, 32)}${recordClass}\t${record.type}\t${recordData(record)}\n`,
    );
  }
  await run.print('\n');
}

/** Tabs up to a column, at least one. */
function tabbed(text: string, column: number): string {
  const width = text.replace(/\t/g, '        ').length;
  return text + '\t'.repeat(Math.max(1, Math.ceil((column - width) / 8)));
}
