import dnsPacket, { type Answer } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeQuery, emptyReply, encodeReply, type Reply } from './message.ts';

const question = (name: string, type: dnsPacket.RecordType = 'A', more: Partial<dnsPacket.Packet> = {}) =>
  dnsPacket.encode({ type: 'query', id: 7, questions: [{ name, type }], ...more });
const opt = (udpPayloadSize: number, ednsVersion = 0): dnsPacket.OptAnswer => ({
  type: 'OPT',
  name: '.',
  udpPayloadSize,
  extendedRcode: 0,
  ednsVersion,
  flags: 0,
  flag_do: false,
  options: [],
});

function asked(bytes: Uint8Array) {
  const decoded = decodeQuery(bytes);
  if (decoded.kind !== 'query') throw new Error(decoded.kind);
  return decoded.query;
}

const addresses = (name: string, count: number): Reply => ({
  ...emptyReply('NOERROR', true),
  answers: Array.from(
    { length: count },
    (_, i): Answer => ({ type: 'A', name, ttl: 30, data: `10.244.${i >> 8}.${i & 255}` }),
  ),
});

describe('queries', () => {
  it('keeps the case of the name and compares in lower case', () => {
    const query = asked(question('WeB.Lab'));
    expect(query.question).toEqual({ name: 'WeB.Lab', key: 'web.lab', type: 'A', class: 'IN' });
    expect(query.edns).toBeUndefined();
    expect(asked(question('a.b', 'A', { additionals: [opt(1400)] })).edns).toEqual({
      payloadBytes: 1400,
      version: 0,
      dnssecOk: false,
    });
    expect(asked(question('.', 'NS')).question.name).toBe('');
  });

  it.each([
    ['too short', Buffer.alloc(11), { kind: 'ignore' }],
    [
      'an answer',
      dnsPacket.encode({ type: 'response', id: 1, questions: [{ name: 'a', type: 'A' }] }),
      { kind: 'ignore' },
    ],
    [
      'no question',
      dnsPacket.encode({ type: 'query', id: 9, questions: [] }),
      { kind: 'error', rcode: 'FORMERR', id: 9 },
    ],
    [
      'two questions',
      dnsPacket.encode({
        type: 'query',
        questions: [
          { name: 'a', type: 'A' },
          { name: 'b', type: 'A' },
        ],
      }),
      { kind: 'error', rcode: 'FORMERR' },
    ],
    ['a question that is cut', question('web.lab').subarray(0, 18), { kind: 'error', rcode: 'FORMERR' }],
    [
      'a compressed question',
      Buffer.concat([question('a').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
      { kind: 'error', rcode: 'FORMERR' },
    ],
    [
      'an update',
      Buffer.from(question('a').map((byte, at) => (at === 2 ? 0x28 : byte))),
      { kind: 'error', rcode: 'NOTIMP' },
    ],
    ['two OPT records', question('a', 'A', { additionals: [opt(512), opt(512)] }), { kind: 'error', rcode: 'FORMERR' }],
  ])('%s', (_, bytes, expected) => {
    expect(decodeQuery(bytes)).toMatchObject(expected);
  });

  it('never throws, whatever comes', () => {
    const valid = question('_http._tcp.web.default.svc.cluster.local', 'SRV', { additionals: [opt(1232)] });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(valid.length),
        fc.uint8Array({ maxLength: 40 }),
        (changes, length, tail) => {
          const mutated = Buffer.concat([valid.subarray(0, length), tail]);
          for (const [at, byte] of changes) if (at < mutated.length) mutated[at] = byte;
          const decoded = decodeQuery(mutated);
          if (decoded.kind === 'ignore') return;
          const reply =
            decoded.kind === 'query' ? addresses(decoded.query.question.name, 3) : emptyReply(decoded.rcode);
          const answer = encodeReply(decoded.kind === 'query' ? decoded.query : decoded, reply, 512);
          expect(answer.length).toBeLessThanOrEqual(512);
          expect(Buffer.from(answer).readUInt16BE(0)).toBe(mutated.readUInt16BE(0));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('answers', () => {
  it('compress names: a record of the question name costs 16 bytes', () => {
    const name = 'db.default.svc.cluster.local';
    const query = asked(question(name));
    const one = encodeReply(query, addresses(name, 1), 65_535).length;
    expect(encodeReply(query, addresses(name, 11), 65_535).length - one).toBe(160);
  });

  it('fit the limit: what does not is left out and the answer marked', () => {
    const name = 'db.default.svc.cluster.local';
    const query = asked(question(name));
    for (const limitBytes of [512, 1232]) {
      const bytes = encodeReply(query, addresses(name, 200), limitBytes);
      const packet = dnsPacket.decode(Buffer.from(bytes));
      expect(bytes.length).toBeLessThanOrEqual(limitBytes);
      expect(packet.flag_tc).toBe(true);
      expect(packet.answers?.length).toBe(Math.floor((limitBytes - 12 - query.questionBytes.length) / 16));
    }
    expect(dnsPacket.decode(Buffer.from(encodeReply(query, addresses(name, 200), 65_535))).flag_tc).toBe(false);
  });

  it('leave additional records out before they truncate', () => {
    const name = 'db.default.svc.cluster.local';
    const reply = { ...addresses(name, 25), additionals: addresses(name, 25).answers };
    const packet = dnsPacket.decode(Buffer.from(encodeReply(asked(question(name)), reply, 512)));
    expect(packet).toMatchObject({ flag_tc: false });
    expect(packet.answers).toHaveLength(25);
    expect(packet.additionals?.length).toBeLessThan(25);
  });

  it('carry OPT to who sent one, with the upper bits of the code', () => {
    const query = asked(question('a.b', 'A', { additionals: [opt(1232, 1)] }));
    const packet = dnsPacket.decode(Buffer.from(encodeReply(query, emptyReply('BADVERS'), 512)));
    expect(packet.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232, extendedRcode: 1 }]);
    expect(
      dnsPacket.decode(Buffer.from(encodeReply(asked(question('a.b')), emptyReply('NXDOMAIN'), 512))).additionals,
    ).toEqual([]);
  });

  it.each<Answer>([
    { type: 'A', name: 'a.lab', ttl: 5, data: '192.0.2.1' },
    { type: 'AAAA', name: 'a.lab', ttl: 5, data: 'fd00::1' },
    { type: 'CNAME', name: 'a.lab', ttl: 5, data: 'b.lab' },
    { type: 'NS', name: 'lab', ttl: 5, data: 'ns.lab' },
    { type: 'PTR', name: '1.2.0.192.in-addr.arpa', ttl: 5, data: 'a.lab' },
    { type: 'SRV', name: '_x._tcp.lab', ttl: 5, data: { priority: 1, weight: 2, port: 3, target: 'a.lab' } },
    { type: 'MX', name: 'lab', ttl: 5, data: { preference: 5, exchange: 'mail.lab' } },
    {
      type: 'SOA',
      name: 'lab',
      ttl: 5,
      data: { mname: 'ns.lab', rname: 'hostmaster.lab', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 },
    },
    { type: 'CAA', name: 'lab', ttl: 5, data: { flags: 0, tag: 'issue', value: 'ca.lab', issuerCritical: false } },
  ])('come back as they went: $type', (record) => {
    const bytes = encodeReply(asked(question('a.lab')), { ...emptyReply('NOERROR'), answers: [record] }, 512);
    expect(dnsPacket.decode(Buffer.from(bytes)).answers?.[0]).toMatchObject(
      record.type === 'CAA' ? { type: 'CAA', name: 'lab' } : { ...record },
    );
  });
});
