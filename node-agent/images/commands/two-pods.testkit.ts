/** A client container and a server pod on one small network, with a DNS server that knows a few names. */
import dnsPacket, { type Answer } from 'dns-packet';
import type { SocketAddress } from '../../../shared/podnet/pod-network.ts';
import { type PodPair, podPair, RIGHT_ADDRESS } from '../../../shared/podnet/pod-pair.testkit.ts';
import { startTestContainer, type TestContainer } from '../container.testkit.ts';
import type { KernelView } from '../image.ts';
import { ALL_NETWORK } from './toolset.ts';

export interface TwoPods extends PodPair {
  readonly client: TestContainer;
  /** Names asked for so far, with their types: `A web.default.svc.cluster.local`. */
  readonly questions: readonly string[];
}

const ZONE: readonly Answer[] = [
  { type: 'A', name: 'web.default.svc.cluster.local', data: RIGHT_ADDRESS, ttl: 30 },
  { type: 'A', name: 'example.com', data: RIGHT_ADDRESS, ttl: 60 },
  { type: 'CNAME', name: 'alias.default.svc.cluster.local', data: 'example.com', ttl: 30 },
];

/** The DNS server stands at 10.244.1.3:53; `web` resolves by the search list. */
export async function startTwoPods(options: { readonly kernel?: KernelView } = {}): Promise<TwoPods> {
  const pods = podPair();
  const questions: string[] = [];
  const server = await pods.right.bindUdp({ port: 53 });
  server.on('message', (data: Uint8Array, from: SocketAddress) => {
    const query = dnsPacket.decode(Buffer.from(data));
    const question = query.questions?.[0];
    if (question === undefined) return;
    questions.push(`${question.type} ${question.name}`);
    const named = ZONE.filter((record) => record.name === question.name);
    const answers = named.filter((record) => record.type === question.type || record.type === 'CNAME');
    const rcode = named.length === 0 ? 3 : 0;
    const reply = dnsPacket.encode({
      type: 'response',
      id: query.id,
      flags: dnsPacket.AUTHORITATIVE_ANSWER | dnsPacket.RECURSION_DESIRED | rcode,
      questions: query.questions,
      answers,
    });
    void server.send(reply, from.port, from.address);
  });
  const client = startTestContainer({
    network: pods.left,
    kernel: options.kernel,
    programs: ALL_NETWORK,
    resolvConf: `nameserver ${RIGHT_ADDRESS}\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
  });
  return {
    ...pods,
    client,
    questions,
    close: async () => {
      client.container.signal('SIGKILL');
      await client.container.ended;
      await pods.close();
    },
  };
}
