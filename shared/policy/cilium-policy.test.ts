import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../wire/address.ts';
import { type CiliumPolicySpec, ciliumPoliciesOf } from './cilium-policy.ts';
import { type ClusterState, PolicyCompiler } from './compile.ts';
import { decide } from './endpoint-policy.ts';
import { policyOf } from './network-policy.ts';
import type { PolicyPod } from './policy-pod.ts';
import type { Policy } from './policy-rule.ts';
import { policyServicesOf } from './policy-service.ts';

const TCP = 6;
const UDP = 17;
const ICMP = 1;

function pod(namespace: string, name: string, address: string): PolicyPod {
  const ports = [{ name: 'web', protocol: TCP, port: 80 }];
  const labels = { app: name };
  return { uid: address, namespace, name, labels, nodeName: 'worker-1', addresses: [parseIpv4(address)!], ports };
}

const SERVER = pod('shop', 'server', '10.244.1.10');
const FRIEND = pod('shop', 'friend', '10.244.1.11');
const STRANGER = pod('shop', 'stranger', '10.244.2.12');
const FOREIGN = pod('other', 'friend', '10.244.2.13');

const WHO = {
  friend: '10.244.1.11',
  stranger: '10.244.2.12',
  foreign: '10.244.2.13',
  node: '192.168.1.10',
  'other node': '192.168.1.11',
  'cilium_host of the other node': '10.244.2.2',
  world: '8.8.8.8',
} as const;
type Who = keyof typeof WHO;

const STATE: Omit<ClusterState, 'policies'> = {
  pods: [SERVER, FRIEND, STRANGER, FOREIGN],
  namespaces: new Map([
    ['shop', { 'kubernetes.io/metadata.name': 'shop', team: 'red' }],
    ['other', { 'kubernetes.io/metadata.name': 'other', team: 'blue' }],
  ]),
  nodes: [
    { labels: { 'kubernetes.io/hostname': 'worker-1' }, addresses: ['192.168.1.10', '10.244.1.2'] },
    { labels: { 'kubernetes.io/hostname': 'worker-2' }, addresses: ['192.168.1.11', '10.244.2.2'] },
  ],
  blocksAreOutside: true,
};
const SERVER_SELECTOR = { matchLabels: { app: 'server' } };

const SERVICES = policyServicesOf(
  [
    { metadata: { namespace: 'shop', name: 'friends', labels: { group: 'a' } }, spec: { selector: { app: 'friend' } } },
    { metadata: { namespace: 'other', name: 'friends' }, spec: { selector: { app: 'friend' } } },
    { metadata: { namespace: 'shop', name: 'resolver', labels: { group: 'a' } }, spec: {} },
    { metadata: { namespace: 'default', name: 'kubernetes' }, spec: {} },
  ],
  [
    ['shop', 'resolver', '8.8.8.8'],
    ['default', 'kubernetes', '9.9.9.9'],
    ['shop', 'friends', '10.244.1.11'],
  ].map(([namespace, name, address]) => ({
    metadata: { namespace, labels: { 'kubernetes.io/service-name': name! } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [address!] }],
  })),
);

const GROUPS = [{ metadata: { name: 'partners', labels: { of: 'us' } }, spec: { externalCIDRs: ['8.0.0.0/8'] } }];

function cilium(spec: CiliumPolicySpec): Policy[] {
  const metadata = { namespace: 'shop', name: 'p' };
  const object = { metadata, spec: { endpointSelector: SERVER_SELECTOR, ...spec } };
  return ciliumPoliciesOf('CiliumNetworkPolicy', object, {
    nodeName: 'worker-1',
    services: SERVICES,
    cidrGroups: GROUPS,
  });
}

/** Who may reach the server at a port, or whom it may reach. */
function passing(
  policies: readonly Policy[],
  direction: 'ingress' | 'egress' = 'ingress',
  port = 80,
  protocol = TCP,
): Who[] {
  const said = new PolicyCompiler({ ...STATE, policies }).endpoint(SERVER)?.[direction] ?? null;
  const names = Object.keys(WHO) as Who[];
  return said === null
    ? names
    : names.filter((who) => decide(said, parseIpv4(WHO[who])!, protocol, port).drop === null);
}

const NODES: readonly Who[] = ['node', 'other node', 'cilium_host of the other node'];
const EVERYBODY = Object.keys(WHO) as Who[];

describe('peers', () => {
  it.each<[string, CiliumPolicySpec, readonly Who[]]>([
    ['a rule that says nothing lets nobody in', { ingress: [{}] }, []],
    ['a policy that does not speak of ingress', { egress: [{}] }, EVERYBODY],
    ['an empty list of rules does not speak of ingress either', { ingress: [] }, EVERYBODY],
    ['an empty list of peers is nobody', { ingress: [{ fromEndpoints: [] }] }, []],
    ['an empty selector means the namespace', { ingress: [{ fromEndpoints: [{}] }] }, ['friend', 'stranger']],
    ['labels', { ingress: [{ fromEndpoints: [{ matchLabels: { 'k8s:app': 'friend' } }] }] }, ['friend']],
    [
      "another namespace's pods",
      { ingress: [{ fromEndpoints: [{ matchLabels: { 'k8s:io.kubernetes.pod.namespace': 'other' } }] }] },
      ['foreign'],
    ],
    [
      'any namespace with a label',
      {
        ingress: [
          { fromEndpoints: [{ matchLabels: { app: 'friend', 'io.cilium.k8s.namespace.labels.team': 'blue' } }] },
        ],
      },
      ['foreign'],
    ],
    ['world', { ingress: [{ fromEntities: ['world'] }] }, ['world']],
    ['cluster', { ingress: [{ fromEntities: ['cluster'] }] }, ['friend', 'stranger', 'foreign', ...NODES]],
    ['host', { ingress: [{ fromEntities: ['host'] }] }, ['node']],
    ['remote-node', { ingress: [{ fromEntities: ['remote-node'] }] }, ['other node', 'cilium_host of the other node']],
    ['all', { ingress: [{ fromEntities: ['all'] }] }, EVERYBODY],
    ['a block holds no pods and no nodes', { ingress: [{ fromCIDR: ['0.0.0.0/0'] }] }, ['world']],
    ['a hole in a block', { ingress: [{ fromCIDRSet: [{ cidr: '8.0.0.0/8', except: ['8.8.0.0/16'] }] }] }, []],
    ['a group of blocks by its name', { ingress: [{ fromCIDRSet: [{ cidrGroupRef: 'partners' }] }] }, ['world']],
    [
      'groups by their labels, with a hole',
      { ingress: [{ fromCIDRSet: [{ cidrGroupSelector: { matchLabels: { of: 'us' } }, except: ['8.8.8.0/24'] }] }] },
      [],
    ],
    ['a group that is not there', { ingress: [{ fromCIDRSet: [{ cidrGroupRef: 'nobody' }] }] }, []],
    [
      'nodes by their labels',
      { ingress: [{ fromNodes: [{ matchLabels: { 'kubernetes.io/hostname': 'worker-2' } }] }] },
      ['other node', 'cilium_host of the other node'],
    ],
    [
      'what is denied goes before what is allowed',
      {
        ingress: [{ fromEntities: ['all'] }],
        ingressDeny: [{ fromEndpoints: [{ matchLabels: { app: 'stranger' } }] }],
      },
      EVERYBODY.filter((who) => who !== 'stranger'),
    ],
    ['denying alone isolates', { ingressDeny: [{ fromEntities: ['world'] }] }, []],
    [
      'without default deny',
      { enableDefaultDeny: { ingress: false }, ingressDeny: [{ fromEntities: ['world'] }] },
      EVERYBODY.filter((who) => who !== 'world'),
    ],
  ])('%s', (_, spec, expected) => {
    expect(passing(cilium(spec))).toEqual(expected);
  });

  it('a NetworkPolicy on such a node: its blocks are outside too, and a Cilium policy may deny what it allows', () => {
    const networkPolicy = policyOf({
      metadata: { namespace: 'shop', name: 'np' },
      spec: {
        podSelector: SERVER_SELECTOR,
        ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }, { podSelector: {} }] }],
      },
    });
    expect(passing([networkPolicy])).toEqual(['friend', 'stranger', 'world']);
    const denied = cilium({ ingressDeny: [{ fromEntities: ['world'] }] });
    expect(passing([networkPolicy, ...denied])).toEqual(['friend', 'stranger']);
  });
});

describe('ports', () => {
  const at = (port: string, more: object = {}): CiliumPolicySpec => ({
    ingress: [{ fromEntities: ['world'], toPorts: [{ ports: [{ port, ...more }] }] }],
  });

  it.each<[string, CiliumPolicySpec, number, number, boolean]>([
    ['a number, any protocol', at('80'), 80, UDP, true],
    ['of one protocol', at('80', { protocol: 'TCP' }), 80, UDP, false],
    ['a range', at('80', { endPort: 90 }), 85, TCP, true],
    ['beyond it', at('80', { endPort: 90 }), 91, TCP, false],
    ['0 is every port', at('0'), 12_345, TCP, true],
    ["a name of the server's", at('web'), 80, TCP, true],
    ['the same name is not another port', at('web'), 81, TCP, false],
    ['ICMP has no port', at('80'), 0, ICMP, false],
  ])('%s', (_, spec, port, protocol, passes) => {
    expect(passing(cilium(spec), 'ingress', port, protocol)).toEqual(passes ? ['world'] : []);
  });

  it('without peers everybody is meant', () => {
    const policies = cilium({ egress: [{ toPorts: [{ ports: [{ port: '53', protocol: 'UDP' }] }] }] });
    expect(passing(policies, 'egress', 53, UDP)).toEqual(EVERYBODY);
    expect(passing(policies, 'egress', 53, TCP)).toEqual([]);
  });
});

describe('ICMP', () => {
  const types = (...fields: { type: number | string; family?: string }[]) =>
    cilium({ ingress: [{ icmps: [{ fields }] }] });
  const ECHO = 8;
  const TIMESTAMP = 13;

  it.each<[string, Policy[], number, boolean]>([
    ['a type by its number', types({ type: 8 }), ECHO, true],
    ['a type by its name', types({ type: 'EchoRequest', family: 'IPv4' }), ECHO, true],
    ['several', types({ type: 3 }, { type: 'Timestamp' }), TIMESTAMP, true],
    ['another one', types({ type: 'Timestamp' }), ECHO, false],
    ['of the other family', types({ type: 'EchoRequest', family: 'IPv6' }), ECHO, false],
  ])('%s', (_, policies, type, passes) => {
    expect(passing(policies, 'ingress', type, ICMP)).toEqual(passes ? EVERYBODY : []);
    expect(passing(policies, 'ingress', 80, TCP)).toEqual([]);
  });
});

describe('Services', () => {
  const to = (...toServices: object[]) => passing(cilium({ egress: [{ toServices }] }), 'egress');

  it('mean their pods, or the addresses that somebody wrote', () => {
    expect(to({ k8sService: { serviceName: 'friends' } })).toEqual(['friend']);
    expect(to({ k8sService: { serviceName: 'friends', namespace: 'other' } })).toEqual(['foreign']);
    expect(to({ k8sService: { serviceName: 'resolver', namespace: 'shop' } })).toEqual(['world']);
    expect(to({ k8sService: { serviceName: 'nobody' } })).toEqual([]);
    expect(to({ k8sServiceSelector: { selector: { matchLabels: { group: 'a' } } } })).toEqual(['friend', 'world']);
  });

  it('the entity kube-apiserver is what the Service kubernetes leads to', () => {
    const [policy] = cilium({ egress: [{ toEntities: ['kube-apiserver'] }] }).filter(({ isolates }) => isolates);
    expect(policy?.egress?.[0]?.peers).toEqual([{ block: { cidr: '9.9.9.9/32', except: [] } }]);
  });
});

it('a clusterwide policy selects pods of all namespaces, and its selectors mean all', () => {
  const spec = { endpointSelector: {}, ingress: [{ fromEndpoints: [{ matchLabels: { app: 'friend' } }] }] };
  const policies = ciliumPoliciesOf(
    'CiliumClusterwideNetworkPolicy',
    { metadata: { name: 'all' }, spec },
    { nodeName: 'worker-1' },
  );
  expect(passing(policies)).toEqual(['friend', 'foreign']);
  expect(policies[0]?.title).toBe('CiliumClusterwideNetworkPolicy all');
});
