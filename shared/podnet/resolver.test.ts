import dnsPacket, { type Answer } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { queryDns } from './dns-query.ts';
import type { PodTcpSocket, PodUdpSocket, SocketAddress } from './pod-network.ts';
import { type PodPair, podPair, RIGHT_ADDRESS } from './pod-pair.testkit.ts';
import { parseHosts, parseResolvConf, searchCandidates } from './resolv-conf.ts';
import { ResolveError, Resolver } from './resolver.ts';

interface Answering {
  readonly answers?: Answer[];
  /** 3 NXDOMAIN, 2 SERVFAIL. */
  readonly rcode?: number;
  readonly truncated?: boolean;
  readonly silent?: boolean;
}

let pods: PodPair;
let asked: string[];
let answering: (name: string, type: string, transport: 'udp' | 'tcp') => Answering;
let server: PodUdpSocket;

function reply(query: Buffer, transport: 'udp' | 'tcp'): Buffer | undefined {
  const { id, questions } = dnsPacket.decode(query);
  const [question] = questions ?? [];
  if (question === undefined) return undefined;
  asked.push(`${transport} ${question.type} ${question.name}`);
  const { answers = [], rcode = 0, truncated, silent } = answering(question.name, question.type, transport);
  if (silent) return undefined;
  return dnsPacket.encode({
    type: 'response',
    id,
    questions,
    answers,
    flags: rcode | (truncated ? dnsPacket.TRUNCATED_RESPONSE : 0),
  });
}

beforeEach(async () => {
  pods = podPair();
  asked = [];
  answering = () => ({ rcode: 3 });
  server = await pods.right.bindUdp({ port: 53 });
  server.on('message', (data: Uint8Array, from: SocketAddress) => {
    const answer = reply(Buffer.from(data), 'udp');
    if (answer !== undefined) void server.send(answer, from.port, from.address);
  });
  const tcp = await pods.right.listenTcp({ port: 53 });
  tcp.on('connection', (socket: PodTcpSocket) => {
    socket.on('data', (data: Buffer) => {
      const answer = reply(data.subarray(2), 'tcp');
      if (answer !== undefined)
        socket.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]));
    });
  });
});
afterEach(() => pods.close());

const SEARCH =
  'search default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5 timeout:1 attempts:2\n';

function resolver(
  resolvConf = `nameserver ${RIGHT_ADDRESS}\n${SEARCH}`,
  hosts = '127.0.0.1 localhost\n10.0.0.9 pinned pinned.example\n',
): Resolver {
  return new Resolver(pods.left, { resolvConf: () => resolvConf, hosts: () => hosts });
}

const A = (name: string, data: string): Answer => ({ type: 'A', name, data, ttl: 5 });

describe('the resolver', () => {
  it('answers literals and /etc/hosts without asking', async () => {
    expect(await resolver().lookup('10.1.2.3')).toEqual([{ address: '10.1.2.3', family: 4 }]);
    expect(await resolver().lookup('fd00::1')).toEqual([{ address: 'fd00::1', family: 6 }]);
    expect(await resolver().lookup('Pinned.example')).toEqual([{ address: '10.0.0.9', family: 4 }]);
    expect(asked).toEqual([]);
  });

  it('walks the search list, A and AAAA side by side, until there is an answer', async () => {
    answering = (name, type) =>
      name === 'web.default.svc.cluster.local' ? { answers: type === 'A' ? [A(name, '10.96.1.1')] : [] } : { rcode: 3 };
    expect(await resolver().lookup('web')).toEqual([{ address: '10.96.1.1', family: 4 }]);
    expect(asked.sort()).toEqual(['udp A web.default.svc.cluster.local', 'udp AAAA web.default.svc.cluster.local']);
  });

  it('tries a name with enough dots, or a final one, as it is', async () => {
    answering = (name) => ({ answers: [A(name, '10.0.0.1')] });
    await resolver().lookup('a.b.c.d.e.f', { family: 4 });
    await resolver().lookup('example.com.', { family: 4 });
    expect(asked).toEqual(['udp A a.b.c.d.e.f', 'udp A example.com']);
  });

  it('asks every candidate before it says that a name does not exist', async () => {
    await expect(resolver().lookup('example.com', { family: 4 })).rejects.toMatchObject({
      code: 'ENOTFOUND',
      message: 'getaddrinfo ENOTFOUND example.com',
    });
    expect(asked).toEqual([
      'udp A example.com.default.svc.cluster.local',
      'udp A example.com.svc.cluster.local',
      'udp A example.com.cluster.local',
      'udp A example.com',
    ]);
  });

  it('goes to the next server when one is dead', async () => {
    answering = (name) => ({ answers: [A(name, '10.0.0.1')] });
    const conf = `nameserver 10.244.1.2\nnameserver ${RIGHT_ADDRESS}\noptions timeout:1 attempts:1\n`;
    expect(await resolver(conf).lookupOne('example.com')).toBe('10.0.0.1');
  });

  it('says "try again" when nobody answers or a server fails', async () => {
    answering = () => ({ rcode: 2 });
    await expect(resolver().lookup('example.com.')).rejects.toBeInstanceOf(ResolveError);
    await expect(resolver().lookup('example.com.')).rejects.toMatchObject({ code: 'EAI_AGAIN' });
    const nobody = resolver('nameserver 10.244.1.2\noptions timeout:1 attempts:1\n');
    await expect(nobody.lookup('example.com')).rejects.toMatchObject({ code: 'EAI_AGAIN' });
  });

  it('asks over TCP what does not fit a datagram', async () => {
    const many = Array.from({ length: 60 }, (_, index) => A('big.example', `10.0.1.${index}`));
    answering = (_name, _type, transport) => (transport === 'udp' ? { truncated: true } : { answers: many });
    expect(await resolver().lookup('big.example.', { family: 4 })).toHaveLength(60);
    expect(asked).toEqual(['udp A big.example', 'tcp A big.example']);
  });

  it('times out, and takes no answer to another question', async () => {
    answering = () => ({ silent: true });
    const query = { server: RIGHT_ADDRESS, name: 'x.example', type: 'A', timeoutMs: 40 } as const;
    await expect(queryDns(pods.left, query)).rejects.toThrow(`no answer from ${RIGHT_ADDRESS}#53 in 40 ms`);
  });
});

describe('resolv.conf and hosts', () => {
  it('are read as the C library reads them', () => {
    const text =
      '# comment\nnameserver 10.0.0.1 ; first\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\ndomain old\nsearch a.b. c\noptions ndots:20 timeout:0 attempts:9 rotate use-vc no-aaaa unknown:1\n';
    expect(parseResolvConf(text)).toEqual({
      nameservers: ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
      search: ['a.b', 'c'],
      ndots: 15,
      timeoutMs: 1000,
      attempts: 5,
      rotate: true,
      useTcp: true,
      noAaaa: true,
    });
    expect(parseResolvConf('')).toMatchObject({
      nameservers: ['127.0.0.1'],
      search: [],
      ndots: 1,
      timeoutMs: 5000,
      attempts: 2,
    });
    expect(parseHosts('127.0.0.1\tlocalhost lo # x\n# no\n\n::1 ip6\n')).toEqual([
      { address: '127.0.0.1', names: ['localhost', 'lo'] },
      { address: '::1', names: ['ip6'] },
    ]);
    expect(searchCandidates('a.b', { ndots: 1, search: ['x'] })).toEqual(['a.b', 'a.b.x']);
    expect(searchCandidates('a', { ndots: 1, search: ['x'] })).toEqual(['a.x', 'a']);
  });
});
