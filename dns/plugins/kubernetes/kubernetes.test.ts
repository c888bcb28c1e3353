/** The options of the plugin; what its records are is `test/flow/dns`. */
import { describe, expect, it } from 'vitest';
import { answerBytes, testServer } from '../../server.testkit.ts';

const Z = 'cluster.local';
const QUERY = {
  id: 1,
  recursionDesired: false,
  checkingDisabled: false,
  edns: undefined,
  questionBytes: new Uint8Array(0),
  remote: { address: '10.244.1.9', port: 40_000 },
  sizeBytes: 0,
  depth: 0,
};

describe('kubernetes', () => {
  it('answers SERVFAIL, never NXDOMAIN, before the cluster is known', async () => {
    const unsynced = await testServer({ synced: false });
    for (const name of [`web.default.svc.${Z}`, `nope.default.svc.${Z}`, '20.0.96.10.in-addr.arpa']) {
      expect((await answerBytes(unsynced, name, 'A')).rcode).toBe('SERVFAIL');
    }
    expect(unsynced.notReady()).toEqual(['kubernetes']);
  });

  it.each([
    ['pods disabled', `10-244-1-5.default.pod.${Z}`, 'NXDOMAIN'],
    ['pods verified', `10-244-1-5.default.pod.${Z}`, 'NOERROR'],
    ['pods verified', `1-2-3-4.default.pod.${Z}`, 'NXDOMAIN'],
    ['namespaces kube-system', `web.default.svc.${Z}`, 'NXDOMAIN'],
    ['namespaces default', `web.default.svc.${Z}`, 'NOERROR'],
    ['namespace_labels team=a', `web.default.svc.${Z}`, 'NXDOMAIN'],
    ['labels app=web', `web.default.svc.${Z}`, 'NOERROR'],
    ['labels app=other', `web.default.svc.${Z}`, 'NXDOMAIN'],
    ['noendpoints', `db.default.svc.${Z}`, 'NXDOMAIN'],
    ['ignore empty_service', `empty.default.svc.${Z}`, 'NXDOMAIN'],
    ['endpoint_pod_names', `pg-pod.db.default.svc.${Z}`, 'NOERROR'],
  ])('option %s: %s is %s', async (option, name, rcode) => {
    const configured = await testServer({ corefile: `. {\n kubernetes ${Z} {\n ${option}\n }\n}` });
    expect((await answerBytes(configured, name, 'A')).rcode).toBe(rcode);
  });

  it('sets the TTL that the Corefile says', async () => {
    const configured = await testServer({ corefile: `. {\n kubernetes ${Z} {\n ttl 77\n }\n}` });
    const [record] = (await answerBytes(configured, `web.default.svc.${Z}`, 'A')).answers ?? [];
    expect(record).toMatchObject({ ttl: 77 });
  });

  it('hands its zone out with the transfer plugin, each record once, between two SOAs', async () => {
    const corefile = `. {\n transfer ${Z} {\n to *\n }\n loadbalance\n cache 30\n kubernetes ${Z} in-addr.arpa\n}`;
    const server = await testServer({ corefile });
    const asked = { name: Z, key: Z, type: 'AXFR', class: 'IN' };
    const query = { ...QUERY, question: asked, transport: 'tcp' } as const;
    const reply = await server.blocks.answer(53, query);
    const records = [reply, ...(reply.following ?? [])].flatMap(({ answers }) => answers);
    expect([records[0]?.type, records.at(-1)?.type]).toEqual(['SOA', 'SOA']);
    const lines = records.slice(1, -1).map((record) => JSON.stringify(record));
    expect(new Set(lines).size).toBe(lines.length);
    const told = records.map(({ name, type }) => `${name} ${type}`);
    for (const expected of [
      `${Z} NS`,
      `ns.dns.${Z} A`,
      `dns-version.${Z} TXT`,
      `web.default.svc.${Z} A`,
      `dual.default.svc.${Z} AAAA`,
      `_http._tcp.web.default.svc.${Z} SRV`,
      `_pg._tcp.db.default.svc.${Z} SRV`,
      `db-0.db.default.svc.${Z} A`,
      `10-244-2-5.db.default.svc.${Z} A`,
      `ext.default.svc.${Z} CNAME`,
      `w99.wide.default.svc.${Z} A`,
    ]) {
      expect(told).toContain(expected);
    }
    expect(told.filter((line) => line.startsWith('idle.'))).toEqual([]);
    expect((await server.blocks.answer(53, { ...query, transport: 'udp' })).rcode).toBe('REFUSED');
  });
});
