import { describe, expect, it } from 'vitest';
import { answerBytes, type TestReply, type TestServer, testServer } from '../../server.testkit.ts';

const WEB = 'web.default.svc.cluster.local';
const WITH_CACHE = (cache: string, more = ''): string =>
  `. {\n${cache}\n kubernetes cluster.local {\n  ttl 60\n }\n${more}\n}`;

const ttl = (reply: TestReply): unknown => (reply.answers?.[0] as { readonly ttl?: number } | undefined)?.ttl;

function withoutWeb(server: TestServer): void {
  server.records.removeService({ namespace: 'default', name: 'web' });
}

describe('cache', () => {
  it('shows its own TTL from the first answer on', async () => {
    const server = await testServer({ corefile: WITH_CACHE('cache 30') });
    expect(ttl(await answerBytes(server, WEB, 'A'))).toBe(30);
    await server.clock.advance(1500);
    expect(ttl(await answerBytes(server, WEB, 'A'))).toBe(29);
    expect(ttl(await answerBytes(server, 'dns-version.cluster.local', 'TXT'))).toBe(30);
  });

  it('leaves TTLs alone with keepttl', async () => {
    const server = await testServer({ corefile: WITH_CACHE('cache 30 {\n keepttl\n }') });
    expect(ttl(await answerBytes(server, WEB, 'A'))).toBe(60);
    await server.clock.advance(20_000);
    expect(ttl(await answerBytes(server, WEB, 'A'))).toBe(60);
  });

  it('gives everybody the spelling and the identifier of their own question', async () => {
    const server = await testServer({ corefile: WITH_CACHE('cache 30') });
    for (const name of [WEB, 'wEb.DEFAULT.svc.Cluster.local', WEB.toUpperCase(), WEB]) {
      const reply = await answerBytes(server, name, 'A');
      expect(reply.id).toBe(4242);
      expect(reply.questions?.[0]?.name).toBe(name);
      expect(reply.answers).toMatchObject([{ name, data: '10.96.0.20' }]);
    }
    const withOpt = await answerBytes(server, WEB, 'A', { dnssecOk: false });
    expect(withOpt.additionals).toMatchObject([{ type: 'OPT' }]);
    expect((await answerBytes(server, WEB, 'A')).additionals).toEqual([]);
  });

  it('keeps nothing of what is disabled, where it is', async () => {
    const server = await testServer({
      corefile: WITH_CACHE('cache 30 {\n disable success default.svc.cluster.local\n }'),
    });
    await answerBytes(server, WEB, 'A');
    withoutWeb(server);
    expect((await answerBytes(server, WEB, 'A')).rcode).toBe('NXDOMAIN');
    const elsewhere = await testServer({ corefile: WITH_CACHE('cache 30 {\n disable success other\n }') });
    await answerBytes(elsewhere, WEB, 'A');
    withoutWeb(elsewhere);
    expect((await answerBytes(elsewhere, WEB, 'A')).rcode).toBe('NOERROR');
  });

  it('keeps failures of upstreams for a moment, but not that this server does not know the cluster yet', async () => {
    let synced = false;
    const server = await testServer({ corefile: WITH_CACHE('cache 30'), synced: () => synced });
    expect((await answerBytes(server, WEB, 'A')).rcode).toBe('SERVFAIL');
    synced = true;
    expect((await answerBytes(server, WEB, 'A')).rcode).toBe('NOERROR');
    const rule = (rcode: string): string => `template ANY ANY lab {\n rcode ${rcode}\n }`;
    const failing = await testServer({ corefile: `. {\n cache 30\n ${rule('SERVFAIL')}\n}` });
    await answerBytes(failing, 'a.lab', 'A');
    const metrics = (await failing.metrics.expose()).body;
    expect(metrics).toContain('coredns_cache_misses_total{server="dns://:53",zones=".",view=""} 1\n');
    await answerBytes(failing, 'a.lab', 'A');
    const hit = 'coredns_cache_hits_total{server="dns://:53",type="denial",zones=".",view=""} 1\n';
    expect((await failing.metrics.expose()).body).toContain(hit);
    await failing.clock.advance(5000);
    await answerBytes(failing, 'a.lab', 'A');
    expect((await failing.metrics.expose()).body).toContain(hit);
  });

  it('keeps no answer that was cut', async () => {
    const server = await testServer({ corefile: '. {\n cache 30\n erratic {\n  truncate 1\n }\n}' });
    await answerBytes(server, 'a.lab', 'A');
    await server.clock.advance(10_000);
    expect(ttl(await answerBytes(server, 'a.lab', 'A'))).toBe(0);
  });

  it('verifies what is over when told to, and serves it when there is nothing fresh', async () => {
    let synced = true;
    const server = await testServer({
      corefile: WITH_CACHE('cache 30 {\n serve_stale 1h verify\n }'),
      synced: () => synced,
    });
    await answerBytes(server, WEB, 'A');
    await server.clock.advance(40_000);
    synced = false;
    expect(await answerBytes(server, WEB, 'A')).toMatchObject({ rcode: 'NOERROR', answers: [{ ttl: 0 }] });
    synced = true;
    withoutWeb(server);
    expect((await answerBytes(server, WEB, 'A')).rcode).toBe('NXDOMAIN');
  });

  it('asks again for what is popular before it is over', async () => {
    const server = await testServer({ corefile: WITH_CACHE('cache 60 {\n prefetch 3 10s 50%\n }') });
    const askedAgain = async (): Promise<boolean> => ttl(await answerBytes(server, WEB, 'A')) === 60;
    expect(await askedAgain()).toBe(true);
    // Three hits, but far apart.
    for (let i = 0; i < 3; i++) {
      await server.clock.advance(11_000);
      expect(await askedAgain()).toBe(false);
    }
    expect(await askedAgain()).toBe(false);
    expect(await askedAgain()).toBe(false);
    // The one before was the third in a row.
    expect(await askedAgain()).toBe(true);
  });
});
