/** What a pod's look-ups put on the wire, counted in the frames between the nodes. */
import dnsPacket from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import { hostsFile, NO_NODE_DNS, type NodeDns, resolvConf } from '../../../node-agent/pods/name-resolution.ts';
import type { PodNetwork, UdpBindOptions } from '../../../shared/podnet/pod-network.ts';
import { Resolver } from '../../../shared/podnet/resolver.ts';
import { type DnsCluster, dnsCluster, KUBE_DNS } from './dns-cluster.testkit.ts';

const SERVER_POD = '10.244.2.7';
const CLUSTER_DNS = { serviceIp: KUBE_DNS, domain: 'cluster.local' };
/** VXLAN, Ethernet, IPv4 without options, UDP. */
const DNS_OFFSET = 8 + 14 + 20 + 8;
const UDP_DESTINATION = DNS_OFFSET - 6;

let cluster: DnsCluster | undefined;
afterEach(() => cluster?.close());

interface Question {
  readonly name: string;
  readonly type: string;
}

/** The questions that crossed from the client's node, in order. */
function questions(frames: readonly Uint8Array[]): Question[] {
  return frames.flatMap((frame): Question[] => {
    const bytes = Buffer.from(frame);
    if (bytes.length < DNS_OFFSET || bytes.readUInt16BE(UDP_DESTINATION) !== 53) return [];
    const { name, type } = dnsPacket.decode(bytes.subarray(DNS_OFFSET)).questions?.[0] ?? { name: '', type: '' };
    return [{ name, type }];
  });
}

function resolver({ client }: DnsCluster, spec: object, node: NodeDns = NO_NODE_DNS): Resolver {
  const pod = { metadata: { name: 'a', namespace: 'default' }, spec: { containers: [], ...spec } };
  return new Resolver(client, {
    resolvConf: () => resolvConf(pod, CLUSTER_DNS, node),
    hosts: () => hostsFile(pod, ['10.244.1.5'], 'worker-1', CLUSTER_DNS),
  });
}

const SEARCH = ['default.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];

describe('a look-up from a pod', () => {
  it('of a Service is one question a family', async () => {
    cluster = await dnsCluster();
    expect(await resolver(cluster, {}).lookup('dual')).toHaveLength(2);
    expect(questions(cluster.frames())).toEqual([
      { name: 'dual.default.svc.cluster.local', type: 'A' },
      { name: 'dual.default.svc.cluster.local', type: 'AAAA' },
    ]);
  });

  it('of a short name outside is five names for both families when the machine has a search list too', async () => {
    cluster = await dnsCluster();
    const node = { nameservers: [], searches: ['corp.example'] };
    expect(await resolver(cluster, {}, node).lookupOne('lab.example')).toBe('192.0.2.80');
    const asked = questions(cluster.frames());
    const names = [...SEARCH, 'corp.example'].map((domain) => `lab.example.${domain}`);
    // The machine's own list leads outside, where nobody answers: SERVFAIL, once more for the second attempt.
    expect([...new Set(asked.map(({ name }) => name))]).toEqual([...names, 'lab.example']);
    for (const name of ['lab.example', ...names.slice(0, 3)]) {
      expect(asked.filter((question) => question.name === name).map(({ type }) => type)).toEqual(['A', 'AAAA']);
    }
    expect(asked.filter(({ name }) => name === names[3])).toHaveLength(4);
  });

  it('of a name with a final dot, or with as many dots as ndots, is one', async () => {
    cluster = await dnsCluster();
    await resolver(cluster, {}).lookupOne('lab.example.');
    const few = { dnsConfig: { options: [{ name: 'ndots', value: '1' }] } };
    await resolver(cluster, few).lookupOne('lab.example');
    expect(questions(cluster.frames()).map(({ name }) => name)).toEqual(new Array(4).fill('lab.example'));
  });

  it('of a host alias is none', async () => {
    cluster = await dnsCluster();
    const spec = { hostAliases: [{ ip: '192.0.2.5', hostnames: ['pinned.example'] }] };
    expect(await resolver(cluster, spec).lookupOne('pinned.example')).toBe('192.0.2.5');
    expect(questions(cluster.frames())).toEqual([]);
  });

  it('with dnsPolicy None goes where dnsConfig says, the next server after a silent one', async () => {
    cluster = await dnsCluster();
    const dnsConfig = {
      nameservers: ['10.244.2.99', KUBE_DNS],
      searches: ['svc.cluster.local'],
      options: [
        { name: 'timeout', value: '1' },
        { name: 'attempts', value: '1' },
      ],
    };
    expect(await resolver(cluster, { dnsPolicy: 'None', dnsConfig }).lookupOne('web.default')).toBe('10.96.0.20');
    const asked = questions(cluster.frames());
    expect(new Set(asked.map(({ name }) => name))).toEqual(new Set(['web.default', 'web.default.svc.cluster.local']));
  });

  it('takes turns between the servers with rotate, both families at the same one', async () => {
    cluster = await dnsCluster();
    const { client } = cluster;
    const servers: string[] = [];
    const network: PodNetwork = Object.assign(Object.create(client) as PodNetwork, {
      bindUdp(options: UdpBindOptions) {
        servers.push(options.remote?.address ?? '');
        return client.bindUdp(options);
      },
    });
    const dnsConfig = { nameservers: [KUBE_DNS, SERVER_POD], options: [{ name: 'rotate' }] };
    const pod = resolver({ ...cluster, client: network }, { dnsPolicy: 'None', dnsConfig });
    for (let i = 0; i < 3; i++) await pod.lookup('web.default.svc.cluster.local.');
    expect(servers).toEqual([KUBE_DNS, KUBE_DNS, SERVER_POD, SERVER_POD, KUBE_DNS, KUBE_DNS]);
    expect(questions(cluster.frames())).toHaveLength(6);
  });
});
