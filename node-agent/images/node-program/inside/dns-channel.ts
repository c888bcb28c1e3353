/** `dns.resolve*` and `dns.reverse`: c-ares' channel, whose questions leave through the pod. */
import type { Answer, RecordType } from 'dns-packet';
import type { DnsAnswer } from '../../../../shared/podnet/dns-query.ts';
import type { Resolver } from '../../../../shared/podnet/resolver.ts';
import { reverseName } from '../../../../shared/podnet/reverse-name.ts';
import { binding, inContext, type RequestWrap, replaceMethods } from './bindings.ts';
import { inOwnTurn } from './own-turn.ts';
import type { PodLink } from './pod-link.ts';

type Server = readonly [family: number, address: string, port: number];

const servers = new WeakMap<object, readonly string[]>();
const running = new WeakMap<object, Set<AbortController>>();

/** What `dns.resolve*` gives for a record; undefined for records of another type. */
type Reading = (record: Answer) => unknown;

const text = (bytes: Uint8Array | string): string => Buffer.from(bytes as Uint8Array).toString();

const READINGS: Readonly<Record<string, readonly [type: RecordType, read: Reading]>> = {
  queryA: ['A', (record) => (record.type === 'A' ? record.data : undefined)],
  queryAaaa: ['AAAA', (record) => (record.type === 'AAAA' ? record.data : undefined)],
  queryCname: ['CNAME', (record) => (record.type === 'CNAME' ? record.data : undefined)],
  queryNs: ['NS', (record) => (record.type === 'NS' ? record.data : undefined)],
  queryPtr: ['PTR', (record) => (record.type === 'PTR' ? record.data : undefined)],
  queryMx: [
    'MX',
    (record) =>
      record.type === 'MX' ? { exchange: record.data.exchange, priority: record.data.preference ?? 0 } : undefined,
  ],
  queryTxt: ['TXT', (record) => (record.type === 'TXT' ? [record.data].flat().map(text) : undefined)],
  querySrv: [
    'SRV',
    (record) => {
      if (record.type !== 'SRV') return undefined;
      const { target: name, port, priority = 0, weight = 0 } = record.data;
      return { name, port, priority, weight };
    },
  ],
  queryNaptr: ['NAPTR', (record) => (record.type === 'NAPTR' ? record.data : undefined)],
  queryCaa: [
    'CAA',
    (record) =>
      record.type === 'CAA' ? { critical: record.data.flags ?? 0, [record.data.tag]: record.data.value } : undefined,
  ],
};

const RCODE_ERRORS: Readonly<Record<string, string>> = {
  NXDOMAIN: 'ENOTFOUND',
  SERVFAIL: 'ESERVFAIL',
  REFUSED: 'EREFUSED',
  FORMERR: 'EFORMERR',
  NOTIMP: 'ENOTIMP',
};

export function installDnsChannel(link: PodLink, resolver: Resolver): void {
  const ask = (
    channel: object,
    request: RequestWrap,
    name: string,
    type: RecordType,
    complete: (answers: readonly Answer[]) => unknown[] | undefined,
  ): number => {
    const stop = new AbortController();
    const questions = running.get(channel) ?? new Set();
    running.set(channel, questions.add(stop));
    const finish = inContext((...values: unknown[]) => request.oncomplete?.(...values));
    const nameservers = servers.get(channel);
    const conf = { ...resolver.config(), ...(nameservers === undefined ? {} : { nameservers }) };
    link.retain();
    void resolver
      .query(name, type, stop.signal, conf)
      .then((answer) => outcome(answer, stop.signal.aborted, complete))
      .finally(() => {
        questions.delete(stop);
        link.release();
      })
      .then((values) => inOwnTurn(finish, ...values));
    return 0;
  };
  const methods: Record<string, (this: object, request: RequestWrap, name: string) => number> = {};
  for (const [method, [type, read]] of Object.entries(READINGS)) {
    methods[method] = function query(request, name) {
      return ask(this, request, name, type, (answers) => {
        const found = answers.filter((record) => read(record) !== undefined);
        const ttls = found.map((record) => ('ttl' in record ? (record.ttl ?? 0) : 0));
        return found.length === 0 ? undefined : [found.map(read), ttls];
      });
    };
  }
  replaceMethods(binding('cares_wrap').ChannelWrap.prototype, {
    ...methods,
    queryTlsa: () => NOT_IMPLEMENTED,
    queryAny: () => NOT_IMPLEMENTED,
    querySoa(this: object, request: RequestWrap, name: string) {
      return ask(this, request, name, 'SOA', (answers) => {
        const soa = answers.find((record) => record.type === 'SOA')?.data;
        if (soa === undefined) return undefined;
        const { mname: nsname, rname: hostmaster, serial, refresh, retry, expire, minimum: minttl } = soa;
        return [{ nsname, hostmaster, serial, refresh, retry, expire, minttl }];
      });
    },
    getHostByAddr(this: object, request: RequestWrap, address: string) {
      return ask(this, request, reverseName(address), 'PTR', (answers) => {
        const names = answers.flatMap((record) => (record.type === 'PTR' ? [record.data] : []));
        return names.length === 0 ? undefined : [names];
      });
    },
    getServers(this: object) {
      return (servers.get(this) ?? resolver.config().nameservers).map((address) => [address, 53]);
    },
    setServers(this: object, list: readonly Server[]) {
      servers.set(
        this,
        list.map(([, address]) => address),
      );
      return 0;
    },
    setLocalAddress: () => undefined,
    cancel(this: object) {
      for (const question of running.get(this) ?? []) question.abort();
    },
  });
}

/** The error by which c-ares says that it does not know a type of question. */
const NOT_IMPLEMENTED = 'ENOTIMP';

function outcome(
  answer: DnsAnswer | undefined,
  cancelled: boolean,
  complete: (answers: readonly Answer[]) => unknown[] | undefined,
): unknown[] {
  if (cancelled) return ['ECANCELLED'];
  if (answer === undefined) return ['ETIMEOUT'];
  const { rcode, answers = [] } = answer.packet;
  if (rcode !== 'NOERROR') return [RCODE_ERRORS[rcode] ?? 'EBADRESP'];
  const values = complete(answers);
  return values === undefined ? ['ENODATA'] : [null, ...values];
}
