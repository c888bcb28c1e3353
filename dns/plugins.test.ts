/** Plugins beside kubernetes: cache, forward, hosts, template, log, errors, loop, loadbalance, whoami, health, ready, metrics. */

import { afterEach, describe, expect, it } from 'vitest';
import type { PodNetwork } from '../shared/podnet/pod-network.ts';
import { HostNetwork } from './host-network.ts';
import { answerBytes, sharedOf, testServer } from './server.testkit.ts';

const addressesOf = (packet: Awaited<ReturnType<typeof answerBytes>>): unknown[] =>
  (packet.answers ?? []).map((record) => ('data' in record ? record.data : undefined));

const ttlsOf = (packet: Awaited<ReturnType<typeof answerBytes>>): unknown[] =>
  (packet.answers ?? []).map((record) => ('ttl' in record ? record.ttl : undefined));

const stops: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const block = (body: string): string => `.:53 {\n${body}\n}`;
const KUBERNETES = 'kubernetes cluster.local {\n ttl 30\n }';
const WEB = 'web.default.svc.cluster.local';

describe('cache', () => {
  it('answers from memory with the TTL that is left, and asks again when it is over', async () => {
    const server = await testServer({ corefile: block(`cache 30\n${KUBERNETES}`) });
    const ttl = async () => ((await answerBytes(server, WEB, 'A')).answers?.[0] as { ttl: number } | undefined)?.ttl;
    expect(await ttl()).toBe(30);
    server.records.removeService({ namespace: 'default', name: 'web' });
    await server.clock.advance(10_000);
    expect(await ttl()).toBe(20);
    await server.clock.advance(20_000);
    expect((await answerBytes(server, WEB, 'A')).rcode).toBe('NXDOMAIN');
  });

  it('keeps denials, and what each type and flag was answered, apart', async () => {
    const server = await testServer({ corefile: block(`cache 30\n${KUBERNETES}`) });
    const late = 'late.default.svc.cluster.local';
    expect((await answerBytes(server, late, 'A')).rcode).toBe('NXDOMAIN');
    server.records.setService({
      namespace: 'default',
      name: 'late',
      kind: 'cluster',
      clusterIps: ['10.96.9.9'],
      externalName: '',
      ports: [{ name: '', port: 1, protocol: 'tcp' }],
      labels: {},
    });
    expect((await answerBytes(server, late, 'A')).rcode).toBe('NXDOMAIN');
    expect((await answerBytes(server, late, 'A', { dnssecOk: true })).rcode).toBe('NOERROR');
    expect((await answerBytes(server, late, 'AAAA')).rcode).toBe('NOERROR');
    await server.clock.advance(30_000);
    expect(addressesOf(await answerBytes(server, late, 'A'))).toEqual(['10.96.9.9']);
  });

  it('serves what is over while it asks again, when told to', async () => {
    const server = await testServer({ corefile: block(`cache 30 {\n serve_stale\n }\n${KUBERNETES}`) });
    await answerBytes(server, WEB, 'A');
    server.records.removeService({ namespace: 'default', name: 'web' });
    await server.clock.advance(40_000);
    expect((await answerBytes(server, WEB, 'A')).answers).toMatchObject([{ ttl: 0, data: '10.96.0.20' }]);
  });

  it('gives up the oldest of too many', async () => {
    const server = await testServer({
      corefile: block('cache {\n success 2 60\n }\nwhoami2').replace(
        'whoami2',
        'template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.1"\n }',
      ),
    });
    for (const name of ['a.x', 'b.x', 'c.x']) await answerBytes(server, name, 'A');
    await server.clock.advance(10_000);
    const ttls: unknown[] = [];
    for (const name of ['c.x', 'b.x', 'a.x']) ttls.push(...ttlsOf(await answerBytes(server, name, 'A')));
    expect(ttls).toEqual([50, 50, 60]);
  });
});

describe('forward', () => {
  async function upstream(answer = 'template IN A {\n answer "{{ .Name }} 60 IN A 192.0.2.7"\n }'): Promise<number> {
    const { DnsServer } = await import('./server.ts');
    const { blocks: _, ...rest } = await testServer();
    const shared = sharedOf(new HostNetwork('127.0.0.1'));
    const server = new DnsServer({
      ...shared,
      readCorefile: () => ({ file: 'upstream', text: block(answer) }),
      portOverride: 0,
    });
    await server.start();
    stops.push(() => server.stop());
    expect(rest.lines).toEqual([]);
    return server.address(53)?.port ?? 0;
  }

  it('asks upstreams over real sockets, the next one when one is silent', async () => {
    const network: PodNetwork = new HostNetwork('127.0.0.1');
    const port = await upstream();
    const corefile = block(`forward . 127.0.0.1:1 127.0.0.1:${port} {\n policy sequential\n }`);
    const server = await testServer({ corefile, network });
    expect(addressesOf(await answerBytes(server, 'www.example.org', 'A'))).toEqual(['192.0.2.7']);
  });

  it('says how to let names out, once a minute, and answers SERVFAIL', async () => {
    const server = await testServer({ corefile: block('forward . /etc/resolv.conf') });
    for (const name of ['a.example', 'b.example'])
      expect((await answerBytes(server, name, 'A')).rcode).toBe('SERVFAIL');
    expect(server.lines).toEqual([
      '[WARNING] plugin/forward: a.example. A -> /etc/resolv.conf: names outside the cluster get SERVFAIL: start the cluster with --egress host to ask them',
    ]);
  });
});

describe('hosts, template, whoami', () => {
  it.each([
    ['hosts {\n 192.0.2.1 a.lab b.lab\n fd00::1 a.lab\n fallthrough\n }', 'A.lab', 'A', 'NOERROR', ['192.0.2.1']],
    ['hosts {\n 192.0.2.1 a.lab\n fd00::1 a.lab\n }', 'a.lab', 'AAAA', 'NOERROR', ['fd00::1']],
    ['hosts {\n 192.0.2.1 a.lab\n }', 'a.lab', 'TXT', 'NOERROR', []],
    ['hosts {\n 192.0.2.1 a.lab b.lab\n }', '1.2.0.192.in-addr.arpa', 'PTR', 'NOERROR', ['a.lab', 'b.lab']],
    ['hosts {\n 192.0.2.1 a.lab\n no_reverse\n }', '1.2.0.192.in-addr.arpa', 'PTR', 'SERVFAIL', []],
    ['hosts {\n 192.0.2.1 a.lab\n no_reverse\n }\nwhoami', '1.2.0.192.in-addr.arpa', 'PTR', 'NOERROR', []],
    ['hosts {\n 192.0.2.1 a.lab\n }\nwhoami', '9.2.0.192.in-addr.arpa', 'PTR', 'NOERROR', []],
    ['hosts {\n 192.0.2.1 a.lab\n }', '1.2.0.192.in-addr.arpa', 'A', 'SERVFAIL', []],
    ['hosts {\n 192.0.2.1 a.lab\n }', 'c.lab', 'A', 'SERVFAIL', []],
    ['hosts {\n 192.0.2.1 a.lab\n fallthrough\n }', 'c.lab', 'A', 'SERVFAIL', []],
    ['hosts /lab/hosts lab', 'file.lab', 'A', 'NOERROR', ['192.0.2.9']],
    ['hosts /lab/hosts lab', 'a.other', 'A', 'SERVFAIL', []],
    [
      'template IN A lab {\n match "^host-(?P<n>[0-9]+)[.]lab[.]$"\n answer "{{ .Name }} 60 IN A 10.0.0.{{ .Group.n }}"\n }',
      'host-7.lab',
      'A',
      'NOERROR',
      ['10.0.0.7'],
    ],
    [
      'template IN A lab {\n match "^host-([0-9]+)[.]lab[.]$"\n answer "{{ .Name }} 60 IN CNAME n{{ index .Match 1 }}.lab"\n }',
      'host-7.lab',
      'A',
      'NOERROR',
      ['n7.lab'],
    ],
    ['template IN A lab {\n match ^x\n answer "{{ .Name }} 60 IN A 1.1.1.1"\n }', 'y.lab', 'A', 'NXDOMAIN', []],
    ['template IN A lab {\n match ^x\n fallthrough\n }', 'y.lab', 'A', 'SERVFAIL', []],
    ['template ANY ANY lab {\n rcode NXDOMAIN\n }', 'y.lab', 'MX', 'NXDOMAIN', []],
    ['template IN A lab {\n rcode NXDOMAIN\n }', 'y.lab', 'AAAA', 'SERVFAIL', []],
  ] as const)('%s: %s %s', async (body, name, type, rcode, answers) => {
    const server = await testServer({ corefile: block(body), files: { '/lab/hosts': '192.0.2.9 file.lab # here\n' } });
    const packet = await answerBytes(server, name, type);
    expect(packet.rcode).toBe(rcode);
    expect(addressesOf(packet)).toEqual(answers);
  });

  it('whoami tells the client who it is', async () => {
    const packet = await answerBytes(await testServer({ corefile: block('whoami') }), 'any.name', 'A');
    expect(packet.additionals).toMatchObject([
      { type: 'A', data: '10.244.1.9' },
      { type: 'SRV', data: { port: 40_000 } },
    ]);
  });
});

describe('log, errors, loadbalance, loop', () => {
  it('prints a line for every query, in CoreDNS form', async () => {
    const server = await testServer({ corefile: block(`log\n${KUBERNETES}`) });
    await answerBytes(server, WEB, 'A');
    expect(server.lines[0]).toMatch(
      /^\[INFO\] 10\.244\.1\.9:40000 - 4242 "A IN web\.default\.svc\.cluster\.local\. udp 47 false 512" NOERROR qr,aa,rd 63 0\.\d{9}s$/,
    );
  });

  it('prints only the classes that are wanted', async () => {
    const server = await testServer({ corefile: block(`log . {\n class denial\n }\n${KUBERNETES}`) });
    await answerBytes(server, WEB, 'A');
    await answerBytes(server, 'nope.default.svc.cluster.local', 'A');
    expect(server.lines).toHaveLength(1);
    expect(server.lines[0]).toContain('NXDOMAIN');
  });

  it('turns failures into SERVFAIL and says what went wrong, many alike as one', async () => {
    const broken = 'template IN A {\n answer "nonsense"\n }';
    const server = await testServer({ corefile: block(`errors {\n consolidate 1m "not understood"\n }\n${broken}`) });
    for (let i = 0; i < 3; i++) expect((await answerBytes(server, 'a.b', 'A')).rcode).toBe('SERVFAIL');
    expect(server.lines).toEqual([]);
    await server.clock.advance(60_000);
    expect(server.lines).toEqual(["[ERROR] plugin/errors: 3 errors like 'not understood' occurred in last 60s"]);
    const plain = await testServer({ corefile: block(`errors\n${broken}`) });
    await answerBytes(plain, 'a.b', 'A');
    expect(plain.lines[0]).toMatch(
      /^\[ERROR\] plugin\/errors: 2 a\.b\. A: plugin\/template: Corefile:3 - Error during parsing/,
    );
  });

  it('changes the order of addresses', async () => {
    const server = await testServer({ corefile: block(`loadbalance\n${KUBERNETES}`) });
    const first = new Set<unknown>();
    for (let i = 0; i < 40; i++)
      first.add(addressesOf(await answerBytes(server, 'db.default.svc.cluster.local', 'A'))[0]);
    expect(first).toEqual(new Set(['10.244.1.5', '10.244.2.5']));
  });

  it('ends a server that is its own upstream', async () => {
    const network: PodNetwork = new HostNetwork('127.0.0.1');
    const { DnsServer } = await import('./server.ts');
    const halted = Promise.withResolvers<string>();
    const shared = sharedOf(new HostNetwork('127.0.0.1'));
    let text = block('whoami');
    const server = new DnsServer({
      ...shared,
      network,
      halt: (reason) => halted.resolve(reason),
      readCorefile: () => ({ file: 'Corefile', text }),
      portOverride: 0,
    });
    await server.start();
    stops.push(() => server.stop());
    text = block(`loop\nforward . 127.0.0.1:${server.address(53)?.port}`);
    await server.reload();
    expect(await halted.promise).toMatch(/^plugin\/loop: Loop .* detected for zone "\."/);
  });
});

describe('a server block', () => {
  it.each([
    ['CH', 'whoami', 'REFUSED'],
    ['IN', 'whoami', 'NOERROR'],
    // Handed on, to nobody here.
    ['CH', 'forward . /etc/resolv.conf', 'SERVFAIL'],
  ] as const)('asked for class %s with %s', async (recordClass, plugin, rcode) => {
    const server = await testServer({ corefile: block(plugin) });
    expect((await answerBytes(server, 'version.bind', 'TXT', { recordClass })).rcode).toBe(rcode);
  });

  it('says which plugin has nobody behind it', async () => {
    const server = await testServer({ corefile: block('errors\nhosts {\n fallthrough\n }') });
    expect((await answerBytes(server, 'a.lab', 'A')).rcode).toBe('SERVFAIL');
    expect(server.lines).toEqual(['[ERROR] plugin/errors: 2 a.lab. A: plugin/hosts: no next plugin found']);
  });

  it('shows IPv6 clients in brackets, as URLs do', async () => {
    const server = await testServer({ corefile: block('log\nwhoami') });
    await answerBytes(server, 'a.lab', 'A', { from: 'fd00::9' });
    expect(server.lines[0]).toMatch(/^\[INFO\] \[fd00::9\]:40000 - 4242 "A IN a\.lab\. udp /);
  });
});

describe('a running server', () => {
  it('serves health, ready and metrics, answers over UDP and TCP, and reloads without losing its sockets', async () => {
    const { DnsServer } = await import('./server.ts');
    const { queryDns } = await import('../shared/podnet/dns-query.ts');
    const network: PodNetwork = new HostNetwork('127.0.0.1');
    const ports = await freePorts(network, 3);
    const http = `health 127.0.0.1:${ports[0]}\nready 127.0.0.1:${ports[1]}\nprometheus 127.0.0.1:${ports[2]}`;
    let text = block(`${http}\ncache 30\n${KUBERNETES}`);
    const shared = sharedOf(new HostNetwork('127.0.0.1'));
    const server = new DnsServer({
      ...shared,
      network,
      readCorefile: () => ({ file: 'Corefile', text }),
      portOverride: 0,
    });
    await server.start();
    stops.push(() => server.stop());
    const port = server.address(53)?.port ?? 0;
    const ask = (tcp: boolean, name = WEB) =>
      queryDns(network, { server: '127.0.0.1', port, name, type: 'A', timeoutMs: 5000, tcp });
    expect((await ask(false)).packet.rcode).toBe('NOERROR');
    expect((await ask(true)).packet.rcode).toBe('NOERROR');
    const body = async (at: number | undefined, path: string) => (await fetch(`http://127.0.0.1:${at}${path}`)).text();
    expect(await body(ports[0], '/health')).toBe('OK');
    expect(await body(ports[1], '/ready')).toBe('OK');
    const metrics = await body(ports[2], '/metrics');
    const of = 'server="dns://:53",zone=".",view=""';
    for (const line of [
      `coredns_dns_requests_total{${of},proto="udp",family="1",type="A"} 1`,
      `coredns_dns_responses_total{${of},rcode="NOERROR"} 2`,
      `coredns_dns_request_duration_seconds_count{${of}} 2`,
      `coredns_dns_request_size_bytes_bucket{${of},proto="tcp",le="100"} 1`,
      `coredns_dns_response_size_bytes_count{${of},proto="udp"} 1`,
      `coredns_plugin_enabled{${of},name="kubernetes"} 1`,
      'coredns_build_info{version="1.11.3",revision="podwire",goversion=""} 1',
      'coredns_cache_requests_total{server="dns://:53",zones=".",view=""} 2',
      'coredns_cache_misses_total{server="dns://:53",zones=".",view=""} 1',
      'coredns_cache_hits_total{server="dns://:53",type="success",zones=".",view=""} 1',
      'coredns_cache_entries{server="dns://:53",type="success",zones=".",view=""} 1',
    ]) {
      expect(metrics).toContain(`${line}\n`);
    }
    // A family of histograms is described once.
    expect(metrics.split('# TYPE coredns_dns_request_size_bytes histogram')).toHaveLength(2);
    text = block(`${http}\nhosts {\n 192.0.2.5 new.lab\n }`);
    await server.reload();
    expect((await ask(false, 'new.lab')).packet.answers).toMatchObject([{ data: '192.0.2.5' }]);
    const after = await body(ports[2], '/metrics');
    expect(after).toContain(`coredns_dns_requests_total{${of},proto="udp",family="1",type="A"} 2\n`);
    expect(after).toContain(`coredns_plugin_enabled{${of},name="hosts"} 1\n`);
    expect(after).not.toContain('name="kubernetes"');
    expect(after).not.toContain('coredns_cache_entries{');
    text = block('nosuchplugin');
    await expect(server.reload()).rejects.toThrow("Unknown directive 'nosuchplugin'");
    expect((await ask(false, 'new.lab')).packet.rcode).toBe('NOERROR');
  });

  it('answers many queries of one TCP connection, and truncates over UDP', async () => {
    const { DnsServer } = await import('./server.ts');
    const { queryDns } = await import('../shared/podnet/dns-query.ts');
    const network: PodNetwork = new HostNetwork('127.0.0.1');
    const records = Array.from({ length: 60 }, (_, i) => ` 192.0.2.${i} big.lab`).join('\n');
    const shared = sharedOf(new HostNetwork('127.0.0.1'));
    const server = new DnsServer({
      ...shared,
      network,
      readCorefile: () => ({ file: 'Corefile', text: block(`hosts {\n${records}\n }`) }),
      portOverride: 0,
    });
    await server.start();
    stops.push(() => server.stop());
    const port = server.address(53)?.port ?? 0;
    const options = { server: '127.0.0.1', port, name: 'big.lab', type: 'A', timeoutMs: 5000 } as const;
    const small = await queryDns(network, { ...options, ignoreTruncation: true });
    expect(small.packet.flag_tc).toBe(true);
    const whole = await queryDns(network, options);
    expect([whole.transport, whole.packet.answers?.length]).toEqual(['TCP', 60]);

    const dnsPacket = (await import('dns-packet')).default;
    const socket = await network.connectTcp({ host: '127.0.0.1', port });
    stops.push(() => socket.destroy());
    const ids = Array.from({ length: 200 }, (_, i) => i + 1);
    socket.write(
      Buffer.concat(
        ids.map((id) => dnsPacket.streamEncode({ type: 'query', id, questions: [{ name: `n${id}.lab`, type: 'A' }] })),
      ),
    );
    const seen = new Set<number>();
    let received = Buffer.alloc(0);
    await new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        received = Buffer.concat([received, chunk]);
        while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
          const end = 2 + received.readUInt16BE(0);
          seen.add(received.readUInt16BE(2));
          received = received.subarray(end);
        }
        if (seen.size === ids.length) resolve();
      });
    });
    expect([...seen].sort((a, b) => a - b)).toEqual(ids);
  });
});

async function freePorts(network: PodNetwork, count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => network.listenTcp({ port: 0 })));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => server.close()));
  return ports;
}

/** What a server needs beside its sockets and its Corefile. */
