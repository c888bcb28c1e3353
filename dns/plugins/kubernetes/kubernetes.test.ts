/** The options of the plugin; what its records are is `test/flow/dns`. */
import { describe, expect, it } from 'vitest';
import { answerBytes, testServer } from '../../server.testkit.ts';

const Z = 'cluster.local';

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
});
