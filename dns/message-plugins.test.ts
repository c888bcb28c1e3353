/** Plugins that look at or change one message: `any`, minimal, header, nsid, bufsize, local, erratic, dns64. */
import { describe, expect, it } from 'vitest';
import { answerBytes, testServer } from './server.testkit.ts';

const HOSTS = 'hosts {\n 192.0.2.1 a.lab\n 192.0.2.2 dual.lab\n fd00::2 dual.lab\n }';
const WEB = 'web.default.svc.cluster.local';
const serve = (body: string) => testServer({ corefile: `. {\n${body}\n}` });
const dataOf = (packet: Awaited<ReturnType<typeof answerBytes>>): unknown[] =>
  (packet.answers ?? []).map((record) => ('data' in record ? record.data : undefined));

describe('any and minimal', () => {
  it('answers ANY with one record', async () => {
    const server = await serve(`any\n${HOSTS}`);
    const packet = await answerBytes(server, 'dual.lab', 'ANY' as 'A');
    expect(packet.answers).toMatchObject([{ type: 'HINFO', ttl: 8482, data: { os: 'See RFC 8482' } }]);
    expect(dataOf(await answerBytes(server, 'a.lab', 'A'))).toEqual(['192.0.2.1']);
  });

  it('leaves glue out, and the SOA in denials', async () => {
    const server = await serve('minimal\nkubernetes cluster.local');
    const service = await answerBytes(server, WEB, 'SRV');
    expect([service.answers?.length, service.additionals]).toEqual([2, []]);
    expect((await answerBytes(server, `no.${WEB}`, 'A')).authorities).toMatchObject([{ type: 'SOA' }]);
  });
});

describe('header, nsid and bufsize', () => {
  it('sets and clears flags', async () => {
    const plain = await answerBytes(await serve(HOSTS), 'a.lab', 'A');
    expect([plain.flag_aa, plain.flag_ra, plain.flag_rd]).toEqual([true, false, true]);
    const server = await serve(`header {\n clear aa\n response set ra\n response clear rd\n }\n${HOSTS}`);
    const changed = await answerBytes(server, 'a.lab', 'A');
    expect([changed.flag_aa, changed.flag_ra, changed.flag_rd]).toEqual([false, true, false]);
  });

  it('names the server to those who ask', async () => {
    const server = await serve(`nsid "replica one"\n${HOSTS}`);
    const asked = await answerBytes(server, 'a.lab', 'A', { optionCodes: [3] });
    expect(asked.additionals).toMatchObject([
      { type: 'OPT', options: [{ code: 3, data: Buffer.from('replica one') }] },
    ]);
    const other = await answerBytes(server, 'a.lab', 'A', { dnssecOk: false });
    expect(other.additionals).toMatchObject([{ type: 'OPT', options: [] }]);
  });

  it('bounds UDP answers', async () => {
    const server = await serve(`bufsize 700\n${HOSTS}`);
    const query = {
      id: 1,
      question: { name: 'a.lab', key: 'a.lab', type: 'A', class: 'IN' },
      recursionDesired: true,
      checkingDisabled: false,
      questionBytes: new Uint8Array(0),
      remote: { address: '10.244.1.9', port: 1 },
      transport: 'udp',
      sizeBytes: 30,
      depth: 0,
    } as const;
    const limit = async (payloadBytes: number) =>
      (await server.blocks.answer(53, { ...query, edns: { payloadBytes, version: 0, dnssecOk: false } })).udpLimitBytes;
    expect([await limit(1232), await limit(600)]).toEqual([700, undefined]);
  });
});

describe('local', () => {
  it.each([
    ['localhost', 'A', 'NOERROR', ['127.0.0.1']],
    ['localhost', 'AAAA', 'NOERROR', ['::1']],
    ['localhost', 'TXT', 'NOERROR', []],
    ['localhost.default.svc.cluster.local', 'A', 'NOERROR', ['127.0.0.1']],
    ['localhost.example', 'TXT', 'SERVFAIL', []],
    ['a.localhost', 'A', 'NXDOMAIN', []],
    ['1.0.0.127.in-addr.arpa', 'PTR', 'NOERROR', ['localhost']],
    ['2.0.0.127.in-addr.arpa', 'PTR', 'NXDOMAIN', []],
    [`1.${'0.'.repeat(31)}ip6.arpa`, 'PTR', 'NOERROR', ['localhost']],
    ['127.in-addr.arpa', 'NS', 'NOERROR', ['localhost']],
    ['example', 'A', 'SERVFAIL', []],
  ] as const)('%s %s', async (name, type, rcode, answers) => {
    const packet = await answerBytes(await serve('local'), name, type);
    expect(packet.rcode).toBe(rcode);
    expect(dataOf(packet)).toEqual(answers);
  });
});

describe('erratic', () => {
  it('drops and truncates every so many', async () => {
    const lossy = await serve('erratic');
    const answered = async () => answerBytes(lossy, 'a.b', 'A').then(dataOf, () => 'lost');
    expect([await answered(), await answered(), await answered()]).toEqual([['192.0.2.53'], 'lost', ['192.0.2.53']]);
    const cut = await serve('erratic {\n truncate 3\n large\n }');
    const truncated = [];
    for (let i = 0; i < 4; i++) truncated.push((await answerBytes(cut, 'a.b', 'AAAA')).flag_tc);
    expect(truncated).toEqual([false, false, true, false]);
    expect((await answerBytes(cut, 'a.b', 'TXT')).rcode).toBe('SERVFAIL');
  });

  it('answers late', async () => {
    const server = await serve('erratic {\n delay 1 50ms\n }');
    let done = false;
    const answer = answerBytes(server, 'a.b', 'A').then(() => {
      done = true;
    });
    await server.clock.advance(49);
    expect(done).toBe(false);
    await server.clock.advance(1);
    await answer;
    expect(done).toBe(true);
  });
});

describe('dns64', () => {
  it.each([
    ['dns64 {\n allow_ipv4\n }', 'a.lab', ['64:ff9b::c000:201']],
    ['dns64 {\n allow_ipv4\n }', 'dual.lab', ['fd00::2']],
    ['dns64 {\n allow_ipv4\n translate_all\n }', 'dual.lab', ['64:ff9b::c000:202']],
    ['dns64 2001:db8::/32 {\n allow_ipv4\n }', 'a.lab', ['2001:db8:c000:201::']],
    ['dns64 {\n prefix 2001:db8:122:344::/64\n allow_ipv4\n }', 'a.lab', ['2001:db8:122:344:c0:2:100:0']],
    ['dns64', 'a.lab', []],
  ])('%s: %s', async (plugin, name, answers) => {
    const server = await serve(`${plugin}\n${HOSTS}`);
    expect(dataOf(await answerBytes(server, name, 'AAAA'))).toEqual(answers);
  });

  it('serves clients over IPv6, and leaves denials', async () => {
    const denial = 'template ANY ANY no.lab {\n rcode NXDOMAIN\n }';
    const server = await serve(`dns64\n${denial}\n${HOSTS}`);
    expect(dataOf(await answerBytes(server, 'a.lab', 'AAAA', { from: 'fd00::9' }))).toEqual(['64:ff9b::c000:201']);
    expect((await answerBytes(server, 'no.lab', 'AAAA', { from: 'fd00::9' })).rcode).toBe('NXDOMAIN');
  });
});

describe('what is not understood', () => {
  it.each([
    ['any all', 'no argument'],
    ['minimal 1', 'no argument'],
    ['local x', 'no argument'],
    ['bufsize 100', 'a whole number from 512 to 4096'],
    ['header', 'a block of lines'],
    ['header {\n response flip aa\n }', '[query|response] set|clear FLAG'],
    ['header {\n query set aa\n }', 'the flag rd'],
    ['erratic {\n explode\n }', 'expected one of delay, drop, large, truncate'],
    ['erratic {\n delay 1 soon\n }', 'a duration such as 5s'],
    ['dns64 10.0.0.0/8', 'an IPv6 prefix of 32, 40, 48, 56, 64, 96 bits'],
    ['dns64 {\n wish\n }', 'expected one of allow_ipv4, prefix, translate_all'],
  ])('%s', async (plugin, expected) => {
    await expect(serve(plugin)).rejects.toThrow(expected);
  });
});
