import type { RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { answerBytes, testServer } from '../../server.testkit.ts';

const HOSTS = 'hosts {\n 192.0.2.1 a.lab a.other\n }';

describe('acl', () => {
  it.each([
    ['acl {\n block net 10.244.0.0/16\n }', '10.244.1.9', 'a.lab', 'A', 'REFUSED', 0],
    ['acl {\n block net 10.244.0.0/16\n }', '10.245.1.9', 'a.lab', 'A', 'NOERROR', 1],
    ['acl {\n block net 10.244.1.9\n }', '10.244.1.9', 'a.lab', 'A', 'REFUSED', 0],
    ['acl {\n block net fd00::/8\n }', 'fd00::9', 'a.lab', 'A', 'REFUSED', 0],
    ['acl {\n filter type A\n }', '10.244.1.9', 'a.lab', 'A', 'NOERROR', 0],
    ['acl {\n filter type AAAA TXT\n }', '10.244.1.9', 'a.lab', 'A', 'NOERROR', 1],
    ['acl {\n block type * net *\n }', '10.244.1.9', 'a.lab', 'A', 'REFUSED', 0],
    ['acl {\n allow net 10.244.1.0/24\n block\n }', '10.244.1.9', 'a.lab', 'A', 'NOERROR', 1],
    ['acl {\n allow net 10.244.1.0/24\n block\n }', '10.244.2.9', 'a.lab', 'A', 'REFUSED', 0],
    ['acl lab {\n block\n }', '10.244.1.9', 'a.lab', 'A', 'REFUSED', 0],
    ['acl lab {\n block\n }', '10.244.1.9', 'a.other', 'A', 'NOERROR', 1],
    ['acl {\n allow type A\n }\n acl {\n block\n }', '10.244.1.9', 'a.lab', 'A', 'NOERROR', 1],
    ['acl {\n allow type A\n }\n acl {\n block\n }', '10.244.1.9', 'a.lab', 'TXT', 'REFUSED', 0],
  ])('%s for %s: %s %s', async (rules, from, name, type, rcode, answers) => {
    const server = await testServer({ corefile: `. {\n${rules}\n${HOSTS}\n}` });
    const packet = await answerBytes(server, name, type as RecordType, { from });
    expect([packet.rcode, packet.answers?.length]).toEqual([rcode, answers]);
  });

  it('leaves a client without an answer', async () => {
    const server = await testServer({ corefile: `. {\nacl {\n drop type A\n }\n${HOSTS}\n}` });
    await expect(answerBytes(server, 'a.lab', 'A')).rejects.toThrow('there is no answer');
    expect((await answerBytes(server, 'a.lab', 'AAAA')).rcode).toBe('NOERROR');
  });

  it.each([
    ['block', 15],
    ['filter', 17],
  ])('%s says why to a client with EDNS0', async (action, code) => {
    const server = await testServer({ corefile: `. {\nacl {\n ${action}\n }\n}` });
    const packet = await answerBytes(server, 'a.lab', 'A', { dnssecOk: false });
    expect(packet.additionals?.[0]).toMatchObject({ type: 'OPT', options: [{ code: 15, data: Buffer.of(0, code) }] });
  });

  it.each([
    ['acl', 'a block of rules'],
    ['acl {\n refuse\n }', "unknown property 'refuse': expected one of allow, block, filter, drop"],
    ['acl {\n block net 10.0.0/8\n }', "'10.0.0/8' is no network"],
    ['acl {\n block net 10.0.0.0/33\n }', 'is no network'],
    ['acl {\n block type NOSUCH\n }', 'a record type such as A'],
    ['acl {\n block type\n }', "something after 'type'"],
    ['acl {\n block all\n }', "'type' or 'net' instead of 'all'"],
  ])('%s is refused', async (rules, expected) => {
    await expect(testServer({ corefile: `. {\n${rules}\n}` })).rejects.toThrow(expected);
  });
});
