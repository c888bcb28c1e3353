/** Upstreams that fail, come back, and differ by transport: by a fake network of name servers. */
import dnsPacket from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import type { PodTcpSocket, SocketAddress } from '../../../shared/podnet/pod-network.ts';
import { type PodPair, podPair, RIGHT_ADDRESS } from '../../../shared/podnet/pod-pair.testkit.ts';
import { answerBytes, testServer } from '../../server.testkit.ts';

let pods: PodPair | undefined;
afterEach(async () => {
  await pods?.close();
  pods = undefined;
});

interface NameServer {
  /** `UDP a.lab A IN rd` */
  readonly asked: string[];
  silent: boolean;
}

/** On the right pod's port; its answers over UDP are cut. */
async function nameServer(port: number, { truncates = false } = {}): Promise<NameServer> {
  const server: NameServer = { asked: [], silent: false };
  const reply = (data: Uint8Array, transport: string): Buffer | undefined => {
    const { id, questions, flag_rd } = dnsPacket.decode(Buffer.from(data)) as dnsPacket.DecodedPacket;
    const [question] = questions ?? [];
    server.asked.push(
      `${transport} ${question?.name} ${question?.type} ${question?.class} ${flag_rd ? 'rd' : ''}`.trim(),
    );
    if (server.silent) return undefined;
    const isCut = truncates && transport === 'UDP';
    return dnsPacket.encode({
      type: 'response',
      id,
      questions,
      flags: dnsPacket.RECURSION_AVAILABLE | (isCut ? dnsPacket.TRUNCATED_RESPONSE : 0),
      answers: isCut ? [] : [{ type: 'A', name: question?.name ?? '', ttl: 60, data: '192.0.2.7' }],
    });
  };
  const right = (pods as PodPair).right;
  const udp = await right.bindUdp({ port });
  udp.on('message', (data: Uint8Array, from: SocketAddress) => {
    const answer = reply(data, 'UDP');
    if (answer !== undefined) void udp.send(answer, from.port, from.address);
  });
  const tcp = await right.listenTcp({ port });
  tcp.on('connection', (socket: PodTcpSocket) => {
    socket.on('data', (data: Buffer) => {
      const answer = reply(data.subarray(2), 'TCP') ?? Buffer.alloc(0);
      socket.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]));
    });
  });
  return server;
}

function forwarding(upstreams: string, more = '') {
  const corefile = `. {\n errors\n forward . ${upstreams} {\n  policy sequential\n${more}\n }\n}`;
  return testServer({ corefile, network: (pods as PodPair).left });
}

describe('forward', () => {
  it('hands on the type, the class and the flags, and what comes back', async () => {
    pods = podPair();
    const upstream = await nameServer(53);
    const server = await forwarding(RIGHT_ADDRESS);
    const reply = await answerBytes(server, 'Www.Example.org', 'TXT');
    expect(reply).toMatchObject({ rcode: 'NOERROR', flag_ra: true, flag_aa: false, flag_tc: false });
    expect(upstream.asked).toEqual(['UDP Www.Example.org TXT IN rd']);
  });

  it.each([
    ['UDP', '', 'udp', true],
    ['TCP', '', 'tcp', false],
    ['TCP', 'force_tcp', 'udp', false],
    ['UDP', 'prefer_udp', 'udp', true],
  ] as const)('asks over %s with %j for a client over %s', async (transport, option, client, isCut) => {
    pods = podPair();
    const upstream = await nameServer(53, { truncates: true });
    const server = await forwarding(RIGHT_ADDRESS, option);
    const reply = await answerBytes(server, 'big.example', 'A', { transport: client });
    expect(reply.flag_tc).toBe(isCut);
    expect(upstream.asked).toEqual([`${transport} big.example A IN rd`]);
  });

  it('asks over UDP for a client over TCP when told to, and over TCP for what is cut', async () => {
    pods = podPair();
    const upstream = await nameServer(53, { truncates: true });
    const server = await forwarding(RIGHT_ADDRESS, 'prefer_udp');
    const reply = await answerBytes(server, 'big.example', 'A', { transport: 'tcp' });
    expect(reply).toMatchObject({ flag_tc: false, answers: [{ data: '192.0.2.7' }] });
    expect(upstream.asked).toEqual(['UDP big.example A IN rd', 'TCP big.example A IN rd']);
  });

  it('checks an upstream that refuses until it answers, and leaves it alone meanwhile', async () => {
    pods = podPair();
    const second = await nameServer(54);
    const server = await forwarding(
      `${RIGHT_ADDRESS} ${RIGHT_ADDRESS}:54`,
      'max_fails 1\n health_check 1s no_rec domain up.lab',
    );
    expect((await answerBytes(server, 'a.lab', 'A')).rcode).toBe('NOERROR');
    expect(second.asked).toEqual(['UDP a.lab A IN rd']);
    // Nothing listens at the first: its port answers with ICMP. Two failed checks make it down.
    for (let checks = 0; checks < 3; checks++) {
      await settle();
      await server.clock.advance(1000);
    }
    const first = await nameServer(53);
    expect((await answerBytes(server, 'b.lab', 'A')).rcode).toBe('NOERROR');
    expect(first.asked).toEqual([]);
    await server.clock.advance(1000);
    await settle();
    expect(first.asked).toEqual(['UDP up.lab NS IN']);
    await answerBytes(server, 'c.lab', 'A');
    expect(first.asked.at(-1)).toBe('UDP c.lab A IN rd');
  });

  it.each([
    ['', `read udp ${RIGHT_ADDRESS}:53: read: connection refused`],
    ['force_tcp', `dial tcp ${RIGHT_ADDRESS}:53: connect: connection refused`],
  ])('is a failure for the errors plugin when nobody answers (%s)', async (option, text) => {
    pods = podPair();
    const server = await forwarding(RIGHT_ADDRESS, option);
    expect((await answerBytes(server, 'a.lab', 'A')).rcode).toBe('SERVFAIL');
    expect(server.lines).toEqual([`[ERROR] plugin/errors: 2 a.lab. A: ${text}`]);
  });

  it('asks the servers of a file through the way out, when the user allows it', async () => {
    pods = podPair();
    const upstream = await nameServer(53);
    const server = await testServer({
      corefile: '. {\n forward . /etc/resolv.conf\n}',
      egress: pods.left,
      files: { '/etc/resolv.conf': `search corp.example\nnameserver ${RIGHT_ADDRESS}\n` },
    });
    expect(await answerBytes(server, 'a.example', 'A')).toMatchObject({ answers: [{ data: '192.0.2.7' }] });
    expect(upstream.asked).toEqual(['UDP a.example A IN rd']);
    expect(server.lines).toEqual([]);
  });

  it('does not forward what is excepted, nor names that are no text', async () => {
    pods = podPair();
    const upstream = await nameServer(53);
    const server = await forwarding(RIGHT_ADDRESS, 'except lab.example 10.0.0.0/8');
    expect((await answerBytes(server, 'a.lab.example', 'A')).rcode).toBe('SERVFAIL');
    expect((await answerBytes(server, '1.2.3.10.in-addr.arpa', 'PTR')).rcode).toBe('SERVFAIL');
    expect(upstream.asked).toEqual([]);
  });
});

/** Lets datagrams between the pods, which take no time, arrive. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((done) => setImmediate(done));
}
