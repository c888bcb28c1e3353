/** Zone files, what queries find in them, and their transfer. */
import dnsPacket, { type RecordType } from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { HostNetwork } from '../../host-network.ts';
import type { Query } from '../../plugin.ts';
import { answerBytes, testServer } from '../../server.testkit.ts';
import { listenTcp } from '../../transport.ts';
import { parseZoneFile } from './zone-file.ts';

const ZONE = `$TTL 1h ; for all
$ORIGIN lab.example.
@   IN SOA ns hostmaster (
        2026010101 ; serial
        2h 30m 1d
        300 )
    NS  ns
    MX  10 mail.lab.example.
ns  60 IN A 192.0.2.53
mail A 192.0.2.25
    AAAA fd00::25
www CNAME web
web IN 120 A 192.0.2.80
out CNAME other.example.
circle CNAME circle
txt TXT "two words" plain "semi;colon"
_http._tcp SRV 1 2 80 web
*.wild A 192.0.2.99
here.wild A 192.0.2.98
deep.below.node A 192.0.2.97
sub NS ns.sub
ns.sub A 192.0.2.54
`;
const PATH = '/lab/db';
const corefile = (extra = '', properties = '') =>
  `. {\n${extra}\nfile ${PATH} lab.example ${properties}\nhosts {\n 192.0.2.9 other.example\n fallthrough\n }\n}`;

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function textOf(record: dnsPacket.Answer): string {
  if (!('data' in record)) return record.type;
  const { data } = record;
  const text = Array.isArray(data)
    ? data.map(String).join('|')
    : typeof data === 'string'
      ? data
      : Object.values(data).join(' ');
  return `${record.type} ${text}`;
}

describe('file', () => {
  const SOA = 'SOA ns.lab.example hostmaster.lab.example 2026010101 7200 1800 86400 300';
  it.each([
    ['web.lab.example', 'A', 'NOERROR', ['A 192.0.2.80'], []],
    ['WEB.Lab.example', 'A', 'NOERROR', ['A 192.0.2.80'], []],
    ['web.lab.example', 'AAAA', 'NOERROR', [], [SOA]],
    ['mail.lab.example', 'AAAA', 'NOERROR', ['AAAA fd00::25'], []],
    ['www.lab.example', 'A', 'NOERROR', ['CNAME web.lab.example', 'A 192.0.2.80'], []],
    ['www.lab.example', 'CNAME', 'NOERROR', ['CNAME web.lab.example'], []],
    ['www.lab.example', 'AAAA', 'NOERROR', ['CNAME web.lab.example'], [SOA]],
    ['out.lab.example', 'A', 'NOERROR', ['CNAME other.example', 'A 192.0.2.9'], []],
    ['circle.lab.example', 'A', 'SERVFAIL', [], []],
    ['lab.example', 'SOA', 'NOERROR', [SOA], []],
    ['lab.example', 'NS', 'NOERROR', ['NS ns.lab.example'], []],
    ['lab.example', 'MX', 'NOERROR', ['MX 10 mail.lab.example'], []],
    ['txt.lab.example', 'TXT', 'NOERROR', ['TXT two words|plain|semi;colon'], []],
    ['_http._tcp.lab.example', 'SRV', 'NOERROR', ['SRV 1 2 80 web.lab.example'], []],
    ['x.wild.lab.example', 'A', 'NOERROR', ['A 192.0.2.99'], []],
    ['x.y.wild.lab.example', 'A', 'NOERROR', ['A 192.0.2.99'], []],
    ['here.wild.lab.example', 'A', 'NOERROR', ['A 192.0.2.98'], []],
    ['x.here.wild.lab.example', 'A', 'NXDOMAIN', [], [SOA]],
    ['below.node.lab.example', 'A', 'NOERROR', [], [SOA]],
    ['no.lab.example', 'A', 'NXDOMAIN', [], [SOA]],
    ['a.sub.lab.example', 'A', 'NOERROR', [], ['NS ns.sub.lab.example']],
    ['lab.example', 'AXFR', 'REFUSED', [], []],
    ['other.example', 'A', 'NOERROR', ['A 192.0.2.9'], []],
  ] as const)('%s %s', async (name, type, rcode, answers, authorities) => {
    const server = await testServer({ corefile: corefile(), files: { [PATH]: ZONE } });
    const packet = await answerBytes(server, name, type as RecordType);
    expect(packet.rcode).toBe(rcode);
    expect(packet.answers?.map(textOf)).toEqual(answers);
    expect(packet.authorities?.map(textOf)).toEqual(authorities);
  });

  it('brings glue, TTLs, and is authoritative but for delegations', async () => {
    const server = await testServer({ corefile: corefile(), files: { [PATH]: ZONE } });
    const referral = await answerBytes(server, 'a.sub.lab.example', 'A');
    expect([referral.flag_aa, referral.additionals]).toMatchObject([false, [{ name: 'ns.sub.lab.example' }]]);
    const service = await answerBytes(server, '_http._tcp.lab.example', 'SRV');
    expect([service.flag_aa, service.additionals]).toMatchObject([true, [{ data: '192.0.2.80', ttl: 120 }]]);
    expect((await answerBytes(server, 'mail.lab.example', 'A')).answers).toMatchObject([{ ttl: 3600 }]);
    expect((await answerBytes(server, 'no.lab.example', 'A')).authorities).toMatchObject([{ ttl: 300 }]);
  });

  it('reads a changed file again, and keeps the zone when that is not understood', async () => {
    const files: Record<string, string> = {};
    const server = await testServer({ corefile: corefile('', '{\n reload 10s\n }'), files });
    await server.blocks.start();
    stops.push(() => server.blocks.stop('shutdown'));
    const ask = async () => {
      const packet = await answerBytes(server, 'web.lab.example', 'A');
      return [packet.rcode, ...(packet.answers ?? []).map(textOf)];
    };
    expect(await ask()).toEqual(['SERVFAIL']);
    files[PATH] = ZONE;
    await server.clock.advance(10_000);
    expect(await ask()).toEqual(['NOERROR', 'A 192.0.2.80']);
    files[PATH] = ZONE.replace('192.0.2.80', '192.0.2.800');
    await server.clock.advance(10_000);
    expect(await ask()).toEqual(['NOERROR', 'A 192.0.2.80']);
    expect(server.lines).toEqual([
      '[WARNING] plugin/file: there is no file /lab/db yet',
      '[INFO] plugin/file: read /lab/db again',
      "[ERROR] plugin/file: /lab/db:13 - Error during parsing: '192.0.2.800' is no data of a A record",
    ]);
  });

  it.each([
    ['@ A 192.0.2.1', "/z:1 - Error during parsing: the zone 'lab.example.' has 0 SOA records: expected one"],
    ['@ WKS x', "/z:1 - Error during parsing: 'WKS' is not understood: expected a type of A, AAAA"],
    ['\n@ MX mail', "/z:2 - Error during parsing: 'mail' is no data of a MX record"],
    ['$GENERATE 1-2 a', "/z:1 - Error during parsing: '$GENERATE' is not understood"],
    ['$TTL soon', "/z:1 - Error during parsing: 'soon' is no time"],
    ['a.other. A 192.0.2.1', "/z:1 - Error during parsing: 'a.other' is not in the zone 'lab.example.'"],
    ['@ SOA a b (\n1 2', "/z:1 - Error during parsing: '(' is not closed"],
    ['@ A )', "/z:1 - Error during parsing: ')' without '('"],
    ['@ TXT "open', '/z:1 - Error during parsing: a quote is not closed'],
    ['  A 192.0.2.1', '/z:1 - Error during parsing: expected a name at the start'],
  ])('%j is refused', (text, message) => {
    expect(() => parseZoneFile(text, '/z', 'lab.example')).toThrow(message);
  });
});

describe('transfer', () => {
  const TRANSFER = 'transfer lab.example {\n to 10.244.1.9\n }';
  const many = ZONE + Array.from({ length: 250 }, (_, i) => `host-${i} A 192.0.2.1\n`).join('');

  it('sends the zone between two SOAs in several messages of one connection', async () => {
    const server = await testServer({ corefile: corefile(TRANSFER), files: { [PATH]: many } });
    const network = new HostNetwork('127.0.0.1');
    const failures: unknown[] = [];
    const listener = await listenTcp({
      network,
      port: 0,
      answer: (query) => server.blocks.answer(53, { ...query, remote: { address: '10.244.1.9', port: 1 } }),
      failed: (error) => failures.push(error),
    });
    const socket = await network.connectTcp({ host: '127.0.0.1', port: listener.address.port });
    stops.push(
      () => socket.destroy(),
      () => listener.close(),
    );
    const types: string[] = [];
    let messages = 0;
    let received = Buffer.alloc(0);
    const done = Promise.withResolvers<void>();
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0);
        types.push(...(dnsPacket.decode(received.subarray(2, end)).answers ?? []).map(({ type }) => type));
        received = received.subarray(end);
        messages++;
      }
      if (types.filter((type) => type === 'SOA').length === 2) done.resolve();
    });
    const questions = [{ name: 'lab.example', type: 'AXFR' as RecordType }];
    socket.write(dnsPacket.streamEncode({ type: 'query', id: 7, questions }));
    await done.promise;
    const records = parseZoneFile(many, PATH, 'lab.example').length;
    expect([types[0], types.at(-1), types.length, messages]).toEqual(['SOA', 'SOA', records + 1, 3]);
    expect(failures).toEqual([]);
  });

  it.each([
    ['10.244.1.9', 'tcp', 'lab.example', 'NOERROR'],
    ['10.244.1.9', 'udp', 'lab.example', 'REFUSED'],
    ['10.244.1.8', 'tcp', 'lab.example', 'REFUSED'],
    ['10.244.1.9', 'tcp', 'other.example', 'NOERROR'],
  ] as const)('%s over %s for %s: %s', async (address, transport, key, rcode) => {
    const server = await testServer({ corefile: corefile(TRANSFER), files: { [PATH]: ZONE } });
    const question = { name: key, key, type: 'AXFR', class: 'IN' };
    const query: Query = {
      id: 1,
      question,
      recursionDesired: false,
      checkingDisabled: false,
      edns: undefined,
      questionBytes: new Uint8Array(0),
      remote: { address, port: 1 },
      transport,
      sizeBytes: 30,
      depth: 0,
    };
    expect((await server.blocks.answer(53, query)).rcode).toBe(rcode);
  });

  it.each([
    ['transfer', "a block with 'to'"],
    ['transfer {\n from 1.2.3.4\n }', "unknown property 'from': expected one of to"],
    ['transfer {\n to everyone\n }', "an address or '*' instead of 'everyone'"],
    ['file', 'DBFILE [ZONE...]'],
    ['file /x {\n refresh 1\n }', 'expected one of fallthrough, reload'],
  ])('%s is refused', async (plugin, expected) => {
    await expect(testServer({ corefile: `. {\n${plugin}\n}` })).rejects.toThrow(expected);
  });
});
