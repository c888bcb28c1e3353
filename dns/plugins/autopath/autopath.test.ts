import type { RecordType } from 'dns-packet';
import { describe, expect, it } from 'vitest';
import { answerBytes, testServer } from '../../server.testkit.ts';

const KUBERNETES = 'kubernetes cluster.local {\n pods verified\n }';
const HOSTS = 'hosts {\n 192.0.2.80 www.example\n fallthrough\n }';
const NOWHERE = 'template ANY ANY . {\n rcode NXDOMAIN\n }';
const HERE = 'default.svc.cluster.local';
/** The pod db-0 of namespace default. */
const POD = '10.244.1.5';

async function ask(plugin: string, name: string, type: RecordType, from: string) {
  const corefile = `. {\n${plugin}\n${HOSTS}\n${KUBERNETES}\nforward . 127.0.0.1\n}\nexample {\n${HOSTS}\n}`;
  const files = { '/lab/resolv.conf': `search ${HERE} example\n` };
  const server = await testServer({ corefile, files });
  const packet = await answerBytes(server, name, type, { from });
  const answers = (packet.answers ?? []).map(
    (record) => `${record.name} ${record.type} ${'data' in record ? record.data : ''}`,
  );
  return [packet.rcode, ...answers];
}

describe('autopath', () => {
  it.each([
    [`www.example.${HERE}`, 'A', POD, ['NOERROR', `www.example.${HERE} CNAME www.example`, 'www.example A 192.0.2.80']],
    [`WWW.example.${HERE}`, 'A', POD, ['NOERROR', `WWW.example.${HERE} CNAME WWW.example`, 'WWW.example A 192.0.2.80']],
    [`www.example.${HERE}`, 'AAAA', POD, ['NOERROR']],
    [`www.example.${HERE}`, 'A', '10.244.9.9', ['NXDOMAIN']],
    [`www.example.${HERE}`, 'SRV', POD, ['NXDOMAIN']],
    [`www.example.kube-system.svc.cluster.local`, 'A', POD, ['NXDOMAIN']],
    [`web.${HERE}`, 'A', POD, ['NOERROR', `web.${HERE} A 10.96.0.20`]],
    [`web.default.${HERE}`, 'A', POD, ['NOERROR', `web.default.${HERE} CNAME web.${HERE}`, `web.${HERE} A 10.96.0.20`]],
    [
      `web.default.svc.${HERE}`,
      'A',
      POD,
      ['NOERROR', `web.default.svc.${HERE} CNAME web.${HERE}`, `web.${HERE} A 10.96.0.20`],
    ],
    ['www.example', 'A', POD, ['NOERROR', 'www.example A 192.0.2.80']],
  ] as const)('%s %s from %s', async (name, type, from, expected) => {
    expect(await ask('autopath @kubernetes', name, type, from)).toEqual(expected);
  });

  it('answers NXDOMAIN when no name of the list exists', async () => {
    const server = await testServer({
      corefile: `. {\nautopath @kubernetes\n${KUBERNETES}\n}\nexample {\n${NOWHERE}\n}`,
    });
    // Nobody answers for other names, which says nothing of them: only what does not exist is passed over.
    expect((await answerBytes(server, `no.${HERE}`, 'A', { from: POD })).rcode).toBe('SERVFAIL');
    const all = `. {\nautopath @kubernetes\ntemplate ANY ANY {\n match "^no[.]$"\n rcode NXDOMAIN\n fallthrough\n }\n${KUBERNETES}\n}`;
    const packet = await answerBytes(await testServer({ corefile: all }), `no.${HERE}`, 'A', { from: POD });
    expect([packet.rcode, packet.authorities?.[0]?.type]).toEqual(['NXDOMAIN', 'SOA']);
  });

  it('takes one list for all from a file', async () => {
    expect(await ask('autopath /lab/resolv.conf', `www.${HERE}`, 'A', '10.9.9.9')).toEqual([
      'NOERROR',
      `www.${HERE} CNAME www.example`,
      'www.example A 192.0.2.80',
    ]);
  });

  it.each([
    ['autopath', '@kubernetes or [ZONE...] RESOLV-CONF'],
    [
      'autopath @kubernetes\nkubernetes cluster.local {\n pods insecure\n }',
      "a kubernetes plugin with 'pods verified'",
    ],
    ['autopath @hosts', '@kubernetes instead of'],
    ['autopath /no/such', 'there is no file /no/such'],
  ])('%s is refused', async (plugin, expected) => {
    await expect(testServer({ corefile: `. {\n${plugin}\n}` })).rejects.toThrow(expected);
  });
});
