/** Every record rule of the cluster's zone, through the chain of the default Corefile, as bytes: query in, answer out. */
import type dnsPacket from 'dns-packet';
import type { RecordType } from 'dns-packet';
import { beforeAll, describe, expect, it } from 'vitest';
import { answerBytes, type TestServer, testServer } from './server.testkit.ts';

const Z = 'cluster.local';
const SOA = `SOA ns.dns.${Z}`;
type Row = readonly [
  name: string,
  type: string,
  rcode: string,
  answers: readonly string[],
  authorities?: readonly string[],
];

const both = ['A 10.244.1.5', 'A 10.244.2.5'];

const rows: readonly Row[] = [
  // ClusterIP Services
  [`web.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.96.0.20']],
  [`web.default.svc.${Z}`, 'AAAA', 'NOERROR', [], [SOA]],
  [`web.default.svc.${Z}`, 'TXT', 'NOERROR', [], [SOA]],
  [`web.default.svc.${Z}`, 'MX', 'NOERROR', [], [SOA]],
  [`web.default.svc.${Z}`, 'CNAME', 'NOERROR', [], [SOA]],
  [`web.default.svc.${Z}`, 'PTR', 'NOERROR', [], [SOA]],
  [
    `web.default.svc.${Z}`,
    'SRV',
    'NOERROR',
    [`SRV 0 50 80 web.default.svc.${Z}`, `SRV 0 50 9090 web.default.svc.${Z}`],
  ],
  [`WEB.Default.SVC.Cluster.LOCAL`, 'A', 'NOERROR', ['A 10.96.0.20']],
  [`wEb.dEfAuLt.svc.${Z}`, 'A', 'NOERROR', ['A 10.96.0.20']],
  [`dual.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.96.0.30']],
  [`dual.default.svc.${Z}`, 'AAAA', 'NOERROR', ['AAAA fd00::30']],
  [`empty.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.96.0.40']],
  // named ports
  [`_http._tcp.web.default.svc.${Z}`, 'SRV', 'NOERROR', [`SRV 0 100 80 web.default.svc.${Z}`]],
  [`_metrics._tcp.web.default.svc.${Z}`, 'SRV', 'NOERROR', [`SRV 0 100 9090 web.default.svc.${Z}`]],
  [`_HTTP._TCP.web.default.svc.${Z}`, 'SRV', 'NOERROR', [`SRV 0 100 80 web.default.svc.${Z}`]],
  [`_http._udp.web.default.svc.${Z}`, 'SRV', 'NXDOMAIN', [], [SOA]],
  [`_https._tcp.web.default.svc.${Z}`, 'SRV', 'NXDOMAIN', [], [SOA]],
  [`_http._tcp.web.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.96.0.20']],
  [`_http._tcp.nope.default.svc.${Z}`, 'SRV', 'NXDOMAIN', [], [SOA]],
  // headless Services
  [`db.default.svc.${Z}`, 'A', 'NOERROR', both],
  [`db.default.svc.${Z}`, 'AAAA', 'NOERROR', [], [SOA]],
  [
    `db.default.svc.${Z}`,
    'SRV',
    'NOERROR',
    [`SRV 0 50 5432 db-0.db.default.svc.${Z}`, `SRV 0 50 5432 10-244-2-5.db.default.svc.${Z}`],
  ],
  [
    `_pg._tcp.db.default.svc.${Z}`,
    'SRV',
    'NOERROR',
    [`SRV 0 50 5432 db-0.db.default.svc.${Z}`, `SRV 0 50 5432 10-244-2-5.db.default.svc.${Z}`],
  ],
  [`_pg._udp.db.default.svc.${Z}`, 'SRV', 'NXDOMAIN', [], [SOA]],
  [`db-0.db.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.244.1.5']],
  [`db-0.db.default.svc.${Z}`, 'AAAA', 'NOERROR', [], [SOA]],
  [`db-0.db.default.svc.${Z}`, 'SRV', 'NOERROR', [`SRV 0 100 5432 db-0.db.default.svc.${Z}`]],
  [`10-244-2-5.db.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.244.2.5']],
  [`10-244-1-5.db.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`db-1.db.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`a.db-0.db.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`idle.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`six.default.svc.${Z}`, 'AAAA', 'NOERROR', ['AAAA 5678:abcd::1', 'AAAA fd00:1::']],
  [`six.default.svc.${Z}`, 'A', 'NOERROR', [], [SOA]],
  [`5678-abcd--1.six.default.svc.${Z}`, 'AAAA', 'NOERROR', ['AAAA 5678:abcd::1']],
  [`fd00-1--0.six.default.svc.${Z}`, 'AAAA', 'NOERROR', ['AAAA fd00:1::']],
  [`bare.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.244.3.9']],
  [`bare.default.svc.${Z}`, 'SRV', 'NOERROR', [], [SOA]],
  // endpoints of a ClusterIP Service
  [`10-244-1-7.web.default.svc.${Z}`, 'A', 'NOERROR', ['A 10.244.1.7']],
  [`10-244-9-9.web.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  // ExternalName
  [`ext.default.svc.${Z}`, 'CNAME', 'NOERROR', ['CNAME lab.example']],
  [`ext.default.svc.${Z}`, 'A', 'NOERROR', ['CNAME lab.example', 'A 192.0.2.80']],
  [`ext.default.svc.${Z}`, 'AAAA', 'NOERROR', ['CNAME lab.example']],
  [`ext.default.svc.${Z}`, 'SRV', 'NOERROR', [], [SOA]],
  [`ext.default.svc.${Z}`, 'TXT', 'NOERROR', [], [SOA]],
  [`sub.ext.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`_http._tcp.ext.default.svc.${Z}`, 'SRV', 'NXDOMAIN', [], [SOA]],
  [`inner.default.svc.${Z}`, 'A', 'NOERROR', [`CNAME web.default.svc.${Z}`, 'A 10.96.0.20']],
  [`circle.default.svc.${Z}`, 'CNAME', 'NOERROR', [`CNAME circle.default.svc.${Z}`]],
  // pods
  [`10-244-1-5.default.pod.${Z}`, 'A', 'NOERROR', ['A 10.244.1.5']],
  [`1-2-3-4.default.pod.${Z}`, 'A', 'NOERROR', ['A 1.2.3.4']],
  [`10-244-1-5.default.pod.${Z}`, 'AAAA', 'NOERROR', [], [SOA]],
  [`fd00--1.default.pod.${Z}`, 'AAAA', 'NOERROR', ['AAAA fd00::1']],
  [`10-244-1-256.default.pod.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`web-abc.default.pod.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`10-244-1-5.nowhere.pod.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`a.10-244-1-5.default.pod.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  // the zone itself and its branches
  [Z, 'SOA', 'NOERROR', [SOA]],
  [Z, 'NS', 'NOERROR', [`NS ns.dns.${Z}`]],
  [Z, 'A', 'NOERROR', [], [SOA]],
  [`ns.dns.${Z}`, 'A', 'NOERROR', ['A 10.96.0.10']],
  [`ns.dns.${Z}`, 'AAAA', 'NOERROR', [], [SOA]],
  [`svc.${Z}`, 'A', 'NOERROR', [], [SOA]],
  [`pod.${Z}`, 'A', 'NOERROR', [], [SOA]],
  [`default.svc.${Z}`, 'A', 'NOERROR', [], [SOA]],
  [`default.svc.${Z}`, 'SRV', 'NOERROR', [], [SOA]],
  [`default.pod.${Z}`, 'A', 'NOERROR', [], [SOA]],
  [`dns-version.${Z}`, 'TXT', 'NOERROR', ['TXT 1.1.0']],
  [`dns-version.${Z}`, 'A', 'NOERROR', [], [SOA]],
  // what there is not
  [`nope.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`nope.default.svc.${Z}`, 'AAAA', 'NXDOMAIN', [], [SOA]],
  [`web.nowhere.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`nowhere.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`nowhere.pod.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`foo.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`web.default.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`web.default.svc.foo.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`a.b.c.web.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`web.default.svc.${Z}.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  [`example.com.default.svc.${Z}`, 'A', 'NXDOMAIN', [], [SOA]],
  // reverse
  ['20.0.96.10.in-addr.arpa', 'PTR', 'NOERROR', [`PTR web.default.svc.${Z}`]],
  ['10.0.96.10.in-addr.arpa', 'PTR', 'NOERROR', [`PTR kube-dns.kube-system.svc.${Z}`]],
  ['5.1.244.10.in-addr.arpa', 'PTR', 'NOERROR', [`PTR db-0.db.default.svc.${Z}`]],
  ['5.2.244.10.in-addr.arpa', 'PTR', 'NOERROR', [`PTR 10-244-2-5.db.default.svc.${Z}`]],
  [
    '7.1.244.10.in-addr.arpa',
    'PTR',
    'NOERROR',
    [`PTR 10-244-1-7.web.default.svc.${Z}`, `PTR 10-244-1-7.also.default.svc.${Z}`],
  ],
  ['20.0.96.10.in-addr.arpa', 'A', 'NOERROR', [], ['SOA ns.dns.in-addr.arpa']],
  [
    '0.3.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa',
    'PTR',
    'NOERROR',
    [`PTR dual.default.svc.${Z}`],
  ],
  ['1.1.1.1.in-addr.arpa', 'PTR', 'SERVFAIL', []],
  ['in-addr.arpa', 'SOA', 'NOERROR', ['SOA ns.dns.in-addr.arpa']],
  // transfers, and names of others
  [Z, 'AXFR', 'REFUSED', []],
  [`web.default.svc.${Z}`, 'IXFR', 'REFUSED', []],
  ['lab.example', 'A', 'NOERROR', ['A 192.0.2.80']],
  ['LAB.example', 'A', 'NOERROR', ['A 192.0.2.80']],
  ['80.2.0.192.in-addr.arpa', 'PTR', 'NOERROR', ['PTR lab.example']],
  ['example.com', 'A', 'SERVFAIL', []],
  ['cluster.local.example', 'A', 'SERVFAIL', []],
  ['notcluster.local', 'A', 'SERVFAIL', []],
];

function text(record: dnsPacket.Answer): string {
  switch (record.type) {
    case 'SRV':
      return `SRV ${record.data.priority} ${record.data.weight} ${record.data.port} ${record.data.target}`;
    case 'SOA':
      return `SOA ${record.data.mname}`;
    case 'TXT':
      return `TXT ${String(record.data)}`;
    case 'A':
    case 'AAAA':
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return `${record.type} ${record.data}`;
    default:
      return record.type;
  }
}

describe('queries through the default Corefile', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await testServer();
  });

  const titled = rows.map((row) => ({ title: `${row[0]} ${row[1]} -> ${row[2]}`, row }));
  it.each(titled)('$title', async ({ row: [name, type, rcode, answers, authorities = []] }) => {
    const packet = await answerBytes(server, name, type as RecordType);
    expect(packet.rcode).toBe(rcode);
    expect((packet.answers ?? []).map(text).sort()).toEqual([...answers].sort());
    expect((packet.authorities ?? []).map(text)).toEqual(authorities);
    expect(packet.questions).toEqual([{ name, type, class: 'IN' }]);
    for (const record of packet.answers ?? [])
      if (record.type !== 'OPT' && answers.length === 1) expect(record.name).toBe(name);
  });

  it('has at least 80 rows', () => {
    expect(rows.length).toBeGreaterThanOrEqual(80);
  });

  it('sends the addresses of SRV targets and name servers along', async () => {
    const srv = await answerBytes(server, `_pg._tcp.db.default.svc.${Z}`, 'SRV');
    expect(
      (srv.additionals ?? [])
        .filter(({ type }) => type === 'A')
        .map(({ name }) => name)
        .sort(),
    ).toEqual([`10-244-2-5.db.default.svc.${Z}`, `db-0.db.default.svc.${Z}`]);
    const ns = await answerBytes(server, Z, 'NS');
    expect((ns.additionals ?? []).filter(({ type }) => type === 'A').map(text)).toEqual(['A 10.96.0.10']);
  });

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
});
