/** host: `host [-t type] NAME [SERVER]`. */
import type { RecordType } from 'dns-packet';
import { type DnsAnswer, DnsTimeoutError, queryDns } from '../../../../shared/podnet/dns-query.ts';
import { searchCandidates } from '../../../../shared/podnet/resolv-conf.ts';
import { literalAddress } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { dotted, recordData, reverseName } from './record-text.ts';

const PHRASES: Readonly<Record<string, string>> = {
  A: 'has address',
  AAAA: 'has IPv6 address',
  CNAME: 'is an alias for',
  PTR: 'domain name pointer',
  SRV: 'has SRV record',
  MX: 'mail is handled by',
  NS: 'name server',
  TXT: 'descriptive text',
  SOA: 'has SOA record',
};

export const host: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'avT46Cdlrs', values: 'tWRcNm' });
  const [name, server] = options.operands;
  if (name === undefined) throw new UsageError('usage: host [-t type] name [server]');
  const { resolver } = run.context.container;
  const conf = resolver.config();
  const at = server === undefined ? (conf.nameservers[0] ?? '') : await resolver.lookupOne(server);
  if (server !== undefined) await run.print(`Using domain server:\nName: ${server}\nAddress: ${at}#53\nAliases: \n\n`);
  const isAddress = literalAddress(name) !== undefined;
  const types = options.has('t')
    ? [(options.value('t') ?? 'A').toUpperCase()]
    : isAddress
      ? ['PTR']
      : ['A', 'AAAA', 'MX'];
  const candidates = isAddress ? [reverseName(name)] : searchCandidates(name, conf);
  const timeoutMs = (options.number('W') ?? conf.timeoutMs / 1000) * 1000;
  let rcode = 'NXDOMAIN';
  for (const candidate of candidates) {
    let found = false;
    for (const type of types) {
      const answer = await ask(run, {
        server: at,
        name: candidate,
        type: type as RecordType,
        timeoutMs,
        tcp: options.has('T'),
      });
      if (answer === undefined) {
        await run.print(';; connection timed out; no servers could be reached\n');
        return 1;
      }
      rcode = answer.packet.rcode;
      for (const record of answer.packet.answers ?? []) {
        found = true;
        await run.print(
          `${record.name} ${PHRASES[record.type] ?? `has ${record.type} record`} ${recordData(record)}\n`,
        );
      }
      if (rcode !== 'NOERROR') break;
    }
    if (found) return 0;
    if (rcode === 'NOERROR' && options.has('t')) {
      await run.print(`${candidate} has no ${types[0]} record\n`);
      return 0;
    }
  }
  await run.print(
    `Host ${isAddress ? dotted(candidates[0] ?? name) : name} not found: ${rcode === 'NXDOMAIN' ? '3(NXDOMAIN)' : rcode === 'REFUSED' ? '5(REFUSED)' : '2(SERVFAIL)'}\n`,
  );
  return 1;
};

async function ask(run: Invocation, query: Parameters<typeof queryDns>[1]): Promise<DnsAnswer | undefined> {
  try {
    return await queryDns(run.context.container.network, query, run.context.signal);
  } catch (error) {
    if (error instanceof DnsTimeoutError || socketErrorCode(error) !== undefined) return undefined;
    throw error;
  }
}
