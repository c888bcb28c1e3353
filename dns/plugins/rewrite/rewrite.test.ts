import type { RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { answerBytes, testServer } from '../../server.testkit.ts';

const HOSTS = 'hosts {\n 192.0.2.1 new.lab\n 192.0.2.2 a.b.lab\n fd00::1 new.lab\n 192.0.2.7 n-7.lab\n }';
const ALIAS = 'template IN A alias.lab {\n answer "{{ .Name }} 60 IN CNAME new.lab"\n }';
const GONE = 'template ANY ANY gone.lab mid.lab {\n rcode NXDOMAIN\n }';
const SERVICE = 'template IN SRV srv.lab {\n answer "{{ .Name }} 60 IN SRV 1 2 80 srv.lab."\n }';

async function ask(rules: string, name: string, type: RecordType = 'A') {
  const server = await testServer({ corefile: `. {\n${rules}\n${ALIAS}\n${SERVICE}\n${GONE}\n${HOSTS}\n}` });
  const packet = await answerBytes(server, name, type);
  const answers = (packet.answers ?? []).map((record) => {
    if (record.type === 'SRV') return `${record.name} SRV ${record.data.target}`;
    return `${record.name} ${record.type} ${'data' in record ? String(record.data) : ''}`;
  });
  return {
    rcode: packet.rcode,
    answers,
    question: packet.questions?.[0],
    ttl: (packet.answers?.[0] as { ttl?: number })?.ttl,
  };
}

describe('rewrite of names', () => {
  it.each([
    ['rewrite name old.lab new.lab', 'old.lab', ['old.lab A 192.0.2.1']],
    ['rewrite name exact old.lab. new.lab.', 'OLD.lab', ['OLD.lab A 192.0.2.1']],
    ['rewrite name exact old.lab new.lab', 'x.old.lab', []],
    ['rewrite name prefix old. new.', 'old.lab', ['old.lab A 192.0.2.1']],
    ['rewrite name suffix .c.example .lab', 'a.b.c.example', ['a.b.c.example A 192.0.2.2']],
    ['rewrite name suffix .c.example. .lab.', 'new.c.example', ['new.c.example A 192.0.2.1']],
    ['rewrite name substring x b', 'a.x.lab', ['a.x.lab A 192.0.2.2']],
    ['rewrite name regex ^host([0-9]+)[.]lab$ n-{1}.lab', 'host7.lab', ['n-7.lab A 192.0.2.7']],
    ['rewrite name regex ^host([0-9]+)[.]lab[.]$ n-{1}.lab.', 'host7.lab', ['n-7.lab A 192.0.2.7']],
    [
      'rewrite name regex ^host([0-9]+)[.]lab$ n-{1}.lab answer name ^n-([0-9]+)[.]lab$ host{1}.lab',
      'host7.lab',
      ['host7.lab A 192.0.2.7'],
    ],
    [
      'rewrite stop {\n name regex ^host([0-9]+)[.]lab$ n-{1}.lab\n answer name ^n-([0-9]+)[.]lab$ host{1}.lab\n }',
      'host7.lab',
      ['host7.lab A 192.0.2.7'],
    ],
    ['rewrite name regex ^(.*)$ {1}..bad', 'new.lab', ['new.lab A 192.0.2.1']],
  ])('%s: %s', async (rules, name, answers) => {
    const reply = await ask(rules, name);
    expect(reply.answers).toEqual(answers);
    expect(reply.question).toMatchObject({ name, type: 'A' });
  });

  it('puts the name back in values when told to', async () => {
    expect((await ask('rewrite name s.x srv.lab', 's.x', 'SRV')).answers).toEqual(['s.x SRV srv.lab']);
    expect((await ask('rewrite name s.x srv.lab answer auto', 's.x', 'SRV')).answers).toEqual(['s.x SRV s.x']);
    const value = 'rewrite name s.x srv.lab answer value ^srv[.](.*)$ front.{1}';
    expect((await ask(value, 's.x', 'SRV')).answers).toEqual(['srv.lab SRV front.lab']);
  });

  it('ends at the first rule that applies, unless it continues', async () => {
    const second = 'rewrite name mid.lab new.lab';
    expect((await ask(`rewrite stop name old.lab mid.lab\n${second}`, 'old.lab')).rcode).toBe('NXDOMAIN');
    expect((await ask(`rewrite continue name old.lab mid.lab\n${second}`, 'old.lab')).answers).toEqual([
      'old.lab A 192.0.2.1',
    ]);
    expect((await ask(`rewrite stop name other.lab x.lab\n${second}`, 'mid.lab')).rcode).toBe('NOERROR');
  });
});

describe('rewrite of other fields', () => {
  it.each([
    ['rewrite type AAAA A', 'AAAA', ['new.lab A 192.0.2.1']],
    ['rewrite type MX TXT', 'AAAA', ['new.lab AAAA fd00::1']],
    ['rewrite class CH IN', 'A', ['new.lab A 192.0.2.1']],
  ] as const)('%s', async (rule, type, answers) => {
    expect((await ask(rule, 'new.lab', type)).answers).toEqual(answers);
  });

  it.each([
    ['30', 30],
    ['30-300', 300],
    ['-60', 60],
    ['5000-', 5000],
    ['1-9999', 3600],
  ])('ttl %s', async (text, ttl) => {
    expect((await ask(`rewrite ttl new.lab ${text}`, 'new.lab')).ttl).toBe(ttl);
    expect((await ask(`rewrite ttl suffix .other ${text}`, 'new.lab')).ttl).toBe(3600);
  });

  it('rcode and cname', async () => {
    expect((await ask('rewrite rcode suffix .lab NXDOMAIN NOERROR', 'gone.lab')).rcode).toBe('NOERROR');
    expect((await ask('rewrite rcode exact gone.lab SERVFAIL NOERROR', 'gone.lab')).rcode).toBe('NXDOMAIN');
    expect((await ask('rewrite cname exact new.lab a.b.lab', 'alias.lab')).answers).toEqual([
      'alias.lab CNAME a.b.lab',
      'a.b.lab A 192.0.2.2',
    ]);
  });

  it.each([
    ['rewrite nonsense a b', 'one of name, type, class, ttl, cname, rcode'],
    ['rewrite name only', 'name [exact|prefix|suffix|substring|regex] FROM TO'],
    ['rewrite name regex ( x', 'plugin/rewrite: Corefile:3 - Error during parsing: Invalid regular expression'],
    ['rewrite name regex a b answer auto', 'a regex cannot be undone'],
    ['rewrite name a b answer name x', 'answer auto, answer name FROM TO'],
    ['rewrite name a b reply', "instead of 'reply'"],
    ['rewrite type A NOSUCH', 'type FROM TO'],
    ['rewrite class IN XX', 'class FROM TO'],
    ['rewrite ttl a 9-3', 'the smaller one first'],
    ['rewrite ttl a soon', 'SECONDS may be'],
    ['rewrite rcode a NOERROR NOPE', 'one of NOERROR'],
    ['rewrite cname a', 'cname [exact'],
  ])('%s is refused', async (rule, expected) => {
    await expect(testServer({ corefile: `. {\n errors\n${rule}\n}` })).rejects.toThrow(expected);
    await expect(testServer({ corefile: `. {\n errors\n${rule}\n}` })).rejects.toThrow(
      /^plugin\/rewrite: Corefile:3 - Error during parsing: /,
    );
  });
});
