/** cilium's rules about DNS on two nodes: real questions of a pod, through the proxies of its node. */
import dnsPacket from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import type { CiliumPolicySpec } from '../../shared/policy/cilium-policy.ts';
import { parseAddress } from '../../shared/wire/ip-address.ts';
import { CiliumPods } from './cilium-pods.testkit.ts';

const SERVER = '10.244.2.3';
const CLIENT = '10.244.1.3';

let pods: CiliumPods;
beforeEach(async () => {
  pods = await CiliumPods.create();
});
afterEach(() => pods.close());

describe('DNS', () => {
  const WORLD = '203.0.113.7';
  const TTL_SECONDS = 60;
  const dns = (...patterns: object[]) => ({
    toEndpoints: [{ matchLabels: { app: 'server' } }],
    toPorts: [{ ports: [{ port: '53', protocol: 'ANY' }], rules: { dns: patterns } }],
  });
  const rules = (...egress: object[]): CiliumPolicySpec => ({
    endpointSelector: { matchLabels: { app: 'client' } },
    egress: egress as CiliumPolicySpec['egress'],
  });

  beforeEach(async () => {
    const answerTo = (message: Uint8Array): Buffer => {
      const { id, questions = [] } = dnsPacket.decode(Buffer.from(message));
      const name = questions[0]?.name ?? '';
      return dnsPacket.encode({
        type: 'response',
        id,
        questions,
        answers: [{ type: 'A', name, ttl: TTL_SECONDS, data: WORLD }],
      });
    };
    const udp = await pods.server.bindUdp({ port: 53 });
    udp.on('message', (message, from) => void udp.send(answerTo(message), from.port, from.address));
    (await pods.server.listenTcp({ port: 53 })).on('connection', (socket: PodTcpSocket) => {
      socket.on('data', (bytes: Uint8Array) => {
        const answer = answerTo(bytes.subarray(2));
        socket.write(Buffer.concat([Buffer.from([answer.length >> 8, answer.length & 255]), answer]));
        if (Buffer.from(bytes).includes('last')) socket.end();
      });
    });
  });

  async function resolve(name: string): Promise<dnsPacket.DecodedPacket> {
    const socket = await pods.client.bindUdp({ remote: { address: SERVER, port: 53 } });
    const query = dnsPacket.encode({ type: 'query', id: 7, flags: 256, questions: [{ type: 'A', name }] });
    const answer = new Promise<Uint8Array>((told) => socket.on('message', told));
    await socket.send(query, 53, SERVER);
    const message = dnsPacket.decode(Buffer.from(await answer));
    socket.close();
    return message;
  }

  /** A connection on which names were asked for, in one message. */
  async function connectAndAsk(...names: string[]): Promise<PodTcpSocket> {
    const socket = await pods.client.connectTcp({ host: SERVER, port: 53 });
    const questions = names.map((name) => ({ type: 'A' as const, name }));
    const query = dnsPacket.encode({ type: 'query', id: 8, flags: 256, questions });
    socket.write(Buffer.concat([Buffer.from([0, query.length]), query]));
    return socket;
  }

  async function resolveOverTcp(name: string): Promise<dnsPacket.DecodedPacket> {
    const socket = await connectAndAsk(name);
    const answer = new Promise<Uint8Array>((told) => socket.once('data', told));
    const message = dnsPacket.decode(Buffer.from((await answer).subarray(2)));
    socket.destroy();
    return message;
  }

  const command = (...words: string[]) => pods.world.command(1, 'cilium-dbg', ...words);
  const rcodeOf = (message: object) => ('rcode' in message ? message.rcode : undefined);
  const mayReach = (address: string, port: number) => {
    const policy = pods.world.engines[0]!;
    const decision = policy.decisionOf('egress', parseAddress(CLIENT)!, parseAddress(address)!, 6, port);
    return decision === null || decision.drop === null;
  };

  it.each([
    ['UDP', resolve],
    ['TCP', resolveOverTcp],
  ])('over %s: names that rules do not allow are refused', async (_, query) => {
    pods.apply(rules(dns({ matchName: 'api.example.com' }, { matchPattern: '*.cilium.io' })));
    expect(rcodeOf(await query('api.example.com'))).toBe('NOERROR');
    expect(rcodeOf(await query('Docs.Cilium.IO'))).toBe('NOERROR');
    const refused = await query('a.docs.cilium.io');
    expect(rcodeOf(refused)).toBe('REFUSED');
    expect(refused).toMatchObject({ type: 'response', questions: [{ name: 'a.docs.cilium.io' }] });
  });

  it('over TCP: the server may end, and a message has one question', async () => {
    pods.apply(rules(dns({ matchName: 'last.example.com' })));
    const last = await connectAndAsk('last.example.com');
    await new Promise((ended) => last.once('end', ended).resume());
    const two = await connectAndAsk('last.example.com', 'no.example.com');
    const error = await new Promise((failed) => two.once('error', failed));
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });

  it('an answer opens the way to its addresses, for as long as it holds', async () => {
    const https = [{ ports: [{ port: '443', protocol: 'TCP' }] }];
    pods.apply(rules(dns({ matchPattern: '*' }), { toFQDNs: [{ matchName: 'api.example.com' }], toPorts: https }));
    expect(mayReach(WORLD, 443)).toBe(false);
    await resolve('other.example.com');
    expect(mayReach(WORLD, 443)).toBe(false);
    await resolve('api.example.com');
    expect([mayReach(WORLD, 443), mayReach(WORLD, 80)]).toEqual([true, false]);
    expect(pods.world.command(1, 'cilium-dbg', 'fqdn', 'cache', 'list')).toMatch(
      /lookup +api\.example\.com\. +60 +\S+Z +203\.0\.113\.7/,
    );
    const [, identity = ''] = /203\.0\.113\.7\/32 +identity=(\d+)/.exec(command('bpf', 'ipcache', 'list')) ?? [];
    expect(identity).toMatch(/^1677721\d$/);
    expect(command('identity', 'list')).toMatch(
      new RegExp(`${identity} +fqdn:api.example.com\\n +fqdn:other.example.com\\n +reserved:world`),
    );
    pods.loop.run(() => pods.world.cluster.advance(2 * 60_000_000));
    expect(mayReach(WORLD, 443)).toBe(false);
    expect(command('fqdn', 'cache', 'list')).not.toContain('api.example.com.');
    expect(command('identity', 'list')).not.toContain('fqdn:');
    expect(command('bpf', 'ipcache', 'list')).not.toContain('203.0.113.7');
  });

  it('hubble shows questions and answers', async () => {
    pods.apply(rules(dns({ matchName: 'api.example.com' })));
    await resolve('api.example.com');
    await resolve('no.example.com');
    const flows = pods.hubble(1, '--protocol', 'dns');
    expect(flows).toMatch(
      /-> default\/server:53 \(ID:2000\) dns-request proxy FORWARDED \(DNS Query api\.example\.com\. A\)\n/,
    );
    expect(flows).toMatch(
      /<- default\/server:53 \(ID:2000\) dns-response proxy FORWARDED \(DNS Answer "203\.0\.113\.7" TTL: 60 \(Proxy api\.example\.com\. A\)\)\n/,
    );
    expect(flows).toMatch(/dns-request proxy DROPPED \(DNS Query no\.example\.com\. A\)\n$/);
    const lines = pods.hubble(1, '--protocol', 'dns', '-o', 'json').trim().split('\n');
    expect(JSON.parse(lines[1]!).flow).toMatchObject({
      Type: 'L7',
      is_reply: true,
      l7: { type: 'RESPONSE', dns: { query: 'api.example.com.', ips: [WORLD], ttl: 60, rcode: 0, qtypes: ['A'] } },
    });
  });
});
