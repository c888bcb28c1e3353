/** Every record rule of the cluster's zone by packets: from a pod through kube-dns to a pod, over UDP and IPv4, and over TCP and IPv6. */
import dnsPacket from 'dns-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  askTcp,
  askUdp,
  type DnsCluster,
  dnsCluster,
  headerOf,
  isIgnored,
  KUBE_DNS_IPV6,
  type QueryParts,
  queryBytes,
} from './dns-cluster.testkit.ts';
import { type Row, rows, Z } from './dns-rows.testkit.ts';

let cluster: DnsCluster;
beforeAll(async () => {
  cluster = await dnsCluster();
});
afterAll(() => cluster.close());

function text(record: dnsPacket.Answer): string {
  switch (record.type) {
    case 'SRV':
      return `SRV ${record.data.priority} ${record.data.weight} ${record.data.port} ${record.data.target}`;
    case 'SOA':
      return `SOA ${record.data.mname}`;
    case 'A':
    case 'AAAA':
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'TXT':
      return `${record.type} ${record.data}`;
    default:
      return record.type;
  }
}

/** A name that is compressed into the question has the question's spelling. */
const alike = (lines: readonly string[]): string[] => lines.map((line) => line.toLowerCase()).sort();
const texts = (records: readonly dnsPacket.Answer[] | undefined): string[] => alike((records ?? []).map(text));

function expectRow(message: Buffer, query: Buffer, [, type, rcode, answers, authorities = [], additionals]: Row): void {
  // The cluster's own zone is answered with authority; what is not its own, and what is refused, without.
  const own = (rcode === 'NOERROR' || rcode === 'NXDOMAIN') && type !== 'AXFR';
  expect(headerOf(message)).toBe(`qr ${own ? 'aa ' : ''}rd ${rcode}`);
  // The question comes back byte by byte, in the client's spelling.
  expect(message.subarray(12, query.length).equals(query.subarray(12))).toBe(true);
  const packet = dnsPacket.decode(message);
  expect(texts(packet.answers)).toEqual(alike(answers));
  expect(texts(packet.authorities)).toEqual(alike(authorities));
  if (additionals !== undefined) expect(texts(packet.additionals)).toEqual(alike(additionals));
  if (answers.length === 0 || rcode !== 'NOERROR') return;
  // The owner of the first answer is the question's name: a pointer to it.
  expect(message.readUInt16BE(query.length)).toBe(0xc00c);
}

const titled = rows.map((row) => ({ title: `${row[0]} ${row[1]} -> ${row[2]}`, row }));

describe('questions', () => {
  it.each(titled)('$title over UDP', async ({ row }) => {
    const query = queryBytes(row[0], row[1]);
    expectRow(await askUdp(cluster, query), query, row);
  });

  it('get the same over TCP and IPv6, all in one pipe', async () => {
    const queries = rows.map((row, id) => queryBytes(row[0], row[1], { id }));
    const answers = await askTcp(cluster, queries, KUBE_DNS_IPV6);
    for (const [id, row] of rows.entries()) expectRow(answers.get(id) as Buffer, queries[id] as Buffer, row);
  });

  it('are 200 and more, and crossed the nodes', () => {
    expect(rows.length).toBeGreaterThanOrEqual(200);
    expect(cluster.frames().length).toBeGreaterThan(2 * rows.length);
  });

  it('send the addresses of SRV targets along', async () => {
    const { additionals } = dnsPacket.decode(await askUdp(cluster, queryBytes(`_pg._tcp.db.default.svc.${Z}`, 'SRV')));
    expect((additionals ?? []).map(({ name }) => name).sort()).toEqual([
      `10-244-2-5.db.default.svc.${Z}`,
      `db-0.db.default.svc.${Z}`,
    ]);
  });
});

describe('sizes', () => {
  const wide = (type: string, parts: QueryParts = {}): Buffer => queryBytes(`wide.default.svc.${Z}`, type, parts);
  it.each([
    ['A', undefined, 512],
    ['A', 256, 512],
    ['A', 512, 512],
    ['A', 1000, 1000],
    ['A', 1232, 1232],
    // The server announces 1232 itself.
    ['A', 65_535, 1232],
    ['SRV', undefined, 512],
    ['SRV', 1232, 1232],
  ] as const)('%s with a buffer of %s: at most %i bytes, cut and marked', async (type, payloadBytes, limit) => {
    const message = await askUdp(cluster, wide(type, { payloadBytes }));
    expect(headerOf(message)).toBe('qr aa tc rd NOERROR');
    expect(message.length).toBeLessThanOrEqual(limit);
    // Not one more record would have fitted.
    expect(message.length).toBeGreaterThan(limit - 64);
    const packet = dnsPacket.decode(message);
    expect(packet.answers?.length).toBeLessThan(100);
    expect(packet.additionals).toHaveLength(payloadBytes === undefined ? 0 : 1);
  });

  it.each(['A', 'SRV'])('%s is whole over TCP', async (type) => {
    const [message] = [...(await askTcp(cluster, [wide(type)])).values()];
    expect(headerOf(message as Buffer)).toBe('qr aa rd NOERROR');
    expect(dnsPacket.decode(message as Buffer).answers).toHaveLength(100);
  });

  it('answers 200 pipelined questions of one connection', async () => {
    const queries = Array.from({ length: 200 }, (_, id) => queryBytes(`w${id}.wide.default.svc.${Z}`, 'A', { id }));
    const answers = await askTcp(cluster, queries);
    for (const [id, message] of answers) {
      expect(headerOf(message)).toBe(`qr aa rd ${id < 100 ? 'NOERROR' : 'NXDOMAIN'}`);
    }
    expect(answers.size).toBe(200);
  });
});

describe('headers', () => {
  const WEB = `web.default.svc.${Z}`;
  const header = (parts: QueryParts) => queryBytes(WEB, 'A', parts);
  /** A query with these bytes after its header, and these counts. */
  const raw = (counts: readonly number[], hex: string, flags = '0100'): Buffer =>
    Buffer.from(`1092${flags}${counts.map((count) => count.toString(16).padStart(4, '0')).join('')}${hex}`, 'hex');
  const WEB_QUESTION = queryBytes(WEB, 'A').subarray(12).toString('hex');
  const OPT = '0000290200000000000000';

  it.each([
    ['no recursion wanted', header({ flags: 0 }), 'qr aa NOERROR'],
    ['checking disabled', header({ flags: 0x0110 }), 'qr aa rd NOERROR'],
    ['authentic data', header({ flags: 0x0120 }), 'qr aa rd NOERROR'],
    ['the reserved bit', header({ flags: 0x0140 }), 'qr aa rd NOERROR'],
    ['tc set', header({ flags: 0x0300 }), 'qr aa rd NOERROR'],
    ['an rcode set', header({ flags: 0x0105 }), 'qr aa rd NOERROR'],
    ['IQUERY', header({ flags: 0x0900 }), 'qr rd opcode1 NOTIMP'],
    ['STATUS', header({ flags: 0x1000 }), 'qr opcode2 NOTIMP'],
    ['NOTIFY', header({ flags: 0x2000 }), 'qr opcode4 NOTIMP'],
    ['UPDATE', header({ flags: 0x2800 }), 'qr opcode5 NOTIMP'],
    ['DSO', header({ flags: 0x3000 }), 'qr opcode6 NOTIMP'],
    ['class CH', header({ classNumber: 3 }), 'qr rd SERVFAIL'],
    ['class HS', header({ classNumber: 4 }), 'qr rd SERVFAIL'],
    ['class 0', header({ classNumber: 0 }), 'qr rd SERVFAIL'],
    ['class 65280', header({ classNumber: 65_280 }), 'qr rd SERVFAIL'],
    ['EDNS version 1', header({ payloadBytes: 1232, ednsVersion: 1 }), 'qr rd NOERROR'],
    ['no question', raw([0, 0, 0, 0], ''), 'qr rd FORMERR'],
    ['two questions', raw([2, 0, 0, 0], WEB_QUESTION + WEB_QUESTION), 'qr rd FORMERR'],
    ['65535 questions', raw([65_535, 0, 0, 0], WEB_QUESTION), 'qr rd FORMERR'],
    ['a question that is cut', raw([1, 0, 0, 0], WEB_QUESTION.slice(0, 20)), 'qr rd FORMERR'],
    ['a question without its class', raw([1, 0, 0, 0], WEB_QUESTION.slice(0, -4)), 'qr rd FORMERR'],
    ['a name that points at itself', raw([1, 0, 0, 0], 'c00c00010001'), 'qr rd FORMERR'],
    ['a label and a pointer back to it', raw([1, 0, 0, 0], '0161c00c00010001'), 'qr rd FORMERR'],
    ['two pointers at each other', raw([1, 0, 0, 0], 'c00ec00c00010001'), 'qr rd FORMERR'],
    ['a pointer at the header', raw([1, 0, 0, 0], 'c00000010001'), 'qr rd FORMERR'],
    ['a pointer beyond the end', raw([1, 0, 0, 0], 'ffff00010001'), 'qr rd FORMERR'],
    ['an extended label', raw([1, 0, 0, 0], '410161000001000100'), 'qr rd FORMERR'],
    ['a label of 64', raw([1, 0, 0, 0], `40${'61'.repeat(64)}0000010001`), 'qr rd FORMERR'],
    ['a name of 256 bytes', raw([1, 0, 0, 0], `${'0161'.repeat(127)}01610000010001`), 'qr rd FORMERR'],
    ['a record that is not there', raw([1, 0, 0, 1], WEB_QUESTION), 'qr rd FORMERR'],
    ['two OPT records', raw([1, 0, 0, 2], WEB_QUESTION + OPT + OPT), 'qr rd FORMERR'],
    ['an OPT of a name', raw([1, 0, 0, 1], `${WEB_QUESTION}0161${OPT}`), 'qr rd FORMERR'],
    ['an OPT that is longer than it', raw([1, 0, 0, 1], `${WEB_QUESTION}000029020000000000ffff`), 'qr rd FORMERR'],
    ['an option that is cut', raw([1, 0, 0, 1], `${WEB_QUESTION}00002902000000000000030003000`), 'qr rd FORMERR'],
    ['more records than a query has', raw([1, 9, 9, 9], WEB_QUESTION), 'qr rd FORMERR'],
    ['bytes behind its end', raw([1, 0, 0, 0], `${WEB_QUESTION}deadbeef`), 'qr aa rd NOERROR'],
  ])('%s', async (_, query, expected) => {
    const message = await askUdp(cluster, query);
    expect(headerOf(message)).toBe(expected);
    expect(message.readUInt16BE(0)).toBe(query.readUInt16BE(0));
  });

  it('tells of a version of EDNS that it does not speak in the upper bits of the code', async () => {
    const { additionals } = dnsPacket.decode(await askUdp(cluster, header({ payloadBytes: 1232, ednsVersion: 1 })));
    expect(additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
  });

  it.each([
    ['an answer', header({ flags: 0x8180 })],
    ['eleven bytes', header({}).subarray(0, 11)],
    ['one byte', Buffer.from([7])],
    ['nothing', Buffer.alloc(0)],
  ])('%s is ignored', async (_, datagram) => {
    expect(await isIgnored(cluster, datagram)).toBe(true);
  });
});
