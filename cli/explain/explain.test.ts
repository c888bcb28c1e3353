import type { Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.js';
import { describe, expect, it } from 'vitest';
import { CILIUMNETWORKPOLICIES, NETWORKPOLICIES } from '../../shared/api/resources.ts';
import { UNIMPAIRED } from '../../shared/rules/impairment.ts';
import type { LinkFault } from '../../shared/rules/link-fault.ts';
import type { ClusterObjects, PolicyObject } from './cluster-objects.ts';
import { explain } from './explain.ts';
import { NO_FACTS, parseListeners, parseRoute, routeKey } from './live-facts.ts';
import { probeKey } from './packet-probes.ts';
import type { ExplainQuestion } from './question.ts';
import { parseTarget } from './target.ts';
import { changesBetween, withoutPolicies, withPolicies } from './what-if.ts';
import { probesWorthwhile } from './worthwhile-probes.ts';

function pod(name: string, ip: string, nodeName: string, extra: Pod['spec'] = { containers: [] }): Pod {
  const containers = [{ name: 'c', ports: [{ containerPort: 8080, name: 'http' }] }];
  return {
    metadata: { uid: ip, namespace: 'shop', name, labels: { app: name } },
    spec: { nodeName, ...extra, containers },
    status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
  };
}

function node(name: string, address: string, ready: boolean, podCIDR: string): Node {
  return {
    metadata: { name },
    spec: { podCIDR, podCIDRs: [podCIDR] },
    status: {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }],
    },
  };
}

const service: Service = {
  metadata: { namespace: 'shop', name: 'web' },
  spec: {
    clusterIP: '10.96.0.20',
    clusterIPs: ['10.96.0.20'],
    externalIPs: ['198.51.100.7'],
    ports: [{ port: 80, targetPort: 8080 }],
  },
};

function sliceOf(name: string) {
  return { namespace: 'shop', name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } };
}

function alias(name: string, externalName: string): Service {
  return { metadata: { namespace: 'shop', name }, spec: { type: 'ExternalName', externalName } };
}

function slice(...addresses: readonly string[]): EndpointSlice {
  return {
    metadata: sliceOf('web'),
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ port: 8080, protocol: 'TCP' }],
  };
}

const DNS = { namespace: 'kube-system', name: 'kube-dns' };
const dnsSlice: EndpointSlice = {
  metadata: { namespace: 'kube-system', name: 'kube-dns-1', labels: { 'kubernetes.io/service-name': 'kube-dns' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['203.0.113.53'], conditions: { ready: true } }],
  ports: [{ port: 53, protocol: 'UDP' }],
};

const upNodes = [
  node('worker-1', '192.168.1.10', true, '10.244.1.0/24'),
  node('worker-3', '192.168.1.12', true, '10.244.3.0/24'),
];
const ported = (name: string, nodePort: number, spec: Service['spec']): Service => ({
  metadata: { namespace: 'shop', name },
  spec: { ...service.spec, clusterIP: '', clusterIPs: [], ports: [{ name: 'web', port: 80, nodePort }], ...spec },
});
const client = pod('client', '10.244.1.5', 'worker-1');
const objects: ClusterObjects = {
  pods: [client, pod('web', '10.244.2.7', 'worker-2'), pod('lost', '10.244.3.8', 'worker-3')],
  namespaces: [{ metadata: { name: 'shop', labels: { team: 'red' } } }],
  nodes: [
    node('worker-1', '192.168.1.10', true, '10.244.1.0/24'),
    node('worker-2', '192.168.1.11', true, '10.244.2.0/24'),
    node('worker-3', '192.168.1.12', false, '10.244.3.0/24'),
  ],
  services: [
    service,
    { metadata: DNS, spec: { clusterIP: '10.96.0.10', ports: [{ port: 53, protocol: 'UDP' }] } },
    { metadata: { namespace: 'shop', name: 'near' }, spec: { ...service.spec, internalTrafficPolicy: 'Local' } },
    ported('named', 30080, { type: 'NodePort' }),
    ported('local', 30081, { type: 'NodePort', externalTrafficPolicy: 'Local' }),
    alias('alias', 'web.shop.svc.cluster.local'),
    alias('beyond', 'example.com'),
    alias('circle', 'circle.shop.svc.cluster.local'),
  ],
  slices: [
    slice('10.244.2.7'),
    dnsSlice,
    { ...slice('10.244.2.7'), metadata: sliceOf('near') },
    ...['named', 'local'].map((name) => ({
      ...slice('10.244.2.7'),
      metadata: sliceOf(name),
      ports: [{ name: 'web', port: 8080, protocol: 'TCP' }],
    })),
  ],
  serviceCidrs: ['10.96.0.0/12'],
  policies: [],
};

function policy(name: string, spec: NetworkPolicySpec): PolicyObject {
  return { resource: NETWORKPOLICIES, object: { metadata: { namespace: 'shop', name }, spec } };
}
const DEFAULT_ROUTE = 'default via 192.168.1.1 dev eth0 \n192.168.1.0/24 dev eth0 \n';
const denyIn = policy('deny', { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] });
const allowClient = policy('allow', {
  podSelector: {},
  ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 8080 }] }],
});

function ask(target: string, change: Partial<ClusterObjects> = {}, more: Partial<ExplainQuestion> = {}) {
  const question = {
    client,
    target: parseTarget(target, 'shop', ['shop', 'default']),
    protocol: 'tcp',
    enforced: true,
  } as const;
  return explain({ ...objects, ...change }, { ...question, ...more });
}

describe('explain', () => {
  it.each([
    ['a Service', 'web:80', {}, 'yes'],
    ['its address', '10.96.0.20:80', {}, 'yes'],
    ['its pod, with the declared port', 'pod/web', {}, 'yes'],
    ['a port that the Service lacks', 'web:81', {}, /no: Service shop\/web has no port 81\/TCP: it has 80\/TCP/],
    [
      'a Service without endpoints',
      'web:80',
      { slices: [dnsSlice] },
      /no endpoint for port 80: its selector finds no pod/,
    ],
    ['nothing of that name', 'nobody:80', {}, /no: there is no Service or pod shop\/nobody/],
    ['an address that no pod has', '10.244.2.99:80', {}, /no: no pod has the address 10.244.2.99/],
    ['a pod on a node that is down', 'lost:80', {}, /no: pod shop\/lost is on node worker-3, which is not Ready/],
    [
      'a slice without a list',
      'web:80',
      { slices: [dnsSlice, { ...slice(), endpoints: null as never }] },
      /finds no pod/,
    ],
    ["a port by the Service's name for it", 'named:web', {}, 'yes'],
    ["a port by a container's name for it", 'pod/web:http', {}, 'yes'],
    ['the same at its address', '10.244.2.7:http', {}, 'yes'],
    [
      'a name that the Service has not',
      'named:http',
      {},
      /Service shop\/named has no port http\/TCP: it has 80\/TCP \(web\)/,
    ],
    ['a name that no container has', 'pod/web:dns', {}, 'no: pod shop/web has no port dns/TCP: it has http'],
    [
      'a port of a pod that has the name of a Service',
      'web:8080',
      {},
      /there is a pod of that name too: pod\/shop\/web$/,
    ],
    [
      'an address of the other family',
      'fd00:10:244:2::7',
      {},
      /has no address of the family of fd00:10:244:2::7|which port/,
    ],
    ['a URL', 'http://web/index.html', {}, 'yes'],
    ['a URL of another port', 'https://web', {}, /Service shop\/web has no port 443/],
    ['the client itself, by its loopback', '127.0.0.1:8080', {}, 'yes'],
    ['the client itself, by a name', 'localhost:http', {}, 'yes'],
    ['a node', 'node/worker-2:22', {}, 'yes'],
    ['a node by its bare name', 'worker-2:22', {}, 'yes'],
    ['a node that is down', '192.168.1.12:22', {}, 'no: node worker-3, which is not Ready'],
    ['a node that is not there', 'node/worker-9:22', {}, 'no: there is no node worker-9'],
    ['a port of a node', 'worker-2:30080', {}, 'yes'],
    ['a port of a node without an endpoint', 'worker-1:30081', { slices: [] }, /which has no endpoint that is ready/],
    [
      "a port of another node, of a Service that keeps its clients' addresses",
      'worker-3:30081',
      { nodes: upNodes },
      /whose externalTrafficPolicy is Local, and no endpoint is on worker-3/,
    ],
    ['what is beyond the cluster', '203.0.113.9:443', {}, 'yes, though nothing outside of the cluster answers here'],
    ['a name beyond it', 'example.com:443', {}, /no: example.com is no name of the cluster's: nothing outside/],
    ['a longer name beyond it', 'www.shop.example.com:443', {}, /no: www.shop.example.com is no name of the cluster's/],
    ['a name of the DNS', 'web.shop.svc.cluster.local:80', {}, 'yes'],
    ["a pod's name in the DNS", 'web.pods.shop.svc:8080', {}, 'yes'],
    ["a pod's address in the DNS", '10-244-2-7.shop.pod.cluster.local:8080', {}, 'yes'],
    ['an address of the range of Services', '10.96.9.9:80', {}, 'no: no Service has the address 10.96.9.9'],
    ['an external address of a Service', '198.51.100.7:80', {}, 'yes'],
    ['a name for a Service', 'alias:80', {}, 'yes'],
    [
      'a name for what is outside',
      'beyond:80',
      {},
      /no: Service shop\/beyond is a name for example.com: example.com is/,
    ],
    ['a name for itself', 'circle:80', {}, /leads in a circle of names/],
    [
      'a Service whose endpoints are on other nodes',
      'near:80',
      {},
      /1 are on other nodes, and its internalTrafficPolicy/,
    ],
    [
      'a pod that refuses',
      'web:80',
      { policies: [denyIn] },
      'no: NetworkPolicy shop/deny selects the pod, and no rule allows it',
    ],
    ['a pod that lets the client in', 'web:80', { policies: [denyIn, allowClient] }, 'yes'],
    [
      'a Service of which one pod is lost',
      'web:80',
      { slices: [dnsSlice, slice('10.244.2.7', '10.244.3.8')] },
      /sometimes: 1 of 2 endpoints can be reached; pod shop\/lost/,
    ],
  ])('%s', (_, target, change, summary) => {
    const { passes, summary: said } = ask(target, change);
    if (typeof summary === 'string') expect(said).toBe(summary);
    else expect(said).toMatch(summary);
    expect(passes).toBe(said.startsWith('yes'));
  });

  it('names the rule that allows', () => {
    const { backends } = ask('web:80', { policies: [denyIn, allowClient] });
    expect(backends[0]?.steps.map(({ text }) => text)).toContain('allowed by NetworkPolicy shop/allow, ingress rule 1');
  });

  it('a name needs the DNS, and an object does not', () => {
    const policies = [
      policy('out', {
        podSelector: { matchLabels: { app: 'client' } },
        policyTypes: ['Egress'],
        egress: [{ ports: [{ port: 8080 }] }],
      }),
    ];
    expect(ask('web:80', { policies }).summary).toBe(
      'no: the name cannot be asked of the cluster DNS (53/UDP): NetworkPolicy shop/out selects the pod, and no rule allows it',
    );
    expect(ask('svc/web:80', { policies }).summary).toBe('yes');
    expect(ask('10.96.0.20:80', { policies }).summary).toBe('yes');
    expect(ask('web:80', { slices: [slice('10.244.2.7')] }).summary).toMatch(/no pod of the cluster DNS is ready/);
    const onNode = pod('on-node', '192.168.1.10', 'worker-1', { hostNetwork: true, containers: [] });
    expect(ask('web:80', {}, { client: onNode }).summary).toMatch(/^no: its DNS is the node's/);
    expect(ask('svc/web:80', {}, { client: onNode }).summary).toBe('yes');
  });

  it('a Service of both families is judged by the address that its name stands for', () => {
    const both = [dnsSlice, slice('10.244.2.7'), { ...slice('fd00:10:244:2::7'), addressType: 'IPv6' }];
    expect(ask('web:80', { slices: both }).backends.map(({ address }) => address)).toEqual(['10.244.2.7:8080']);
    const services = [{ ...service, spec: { ...service.spec, clusterIPs: ['10.96.0.20', 'fd00:10:96::20'] } }];
    const { backends } = ask('[fd00:10:96::20]:80', { slices: both, services });
    expect(backends.map(({ address }) => address)).toEqual(['[fd00:10:244:2::7]:8080']);
  });

  it('knows where somebody listens, if the node said so', () => {
    const listeners = new Map([['10.244.2.7', parseListeners('tcp LISTEN 0 4096 *:8080 *:*\n')]]);
    const facts = { ...NO_FACTS, listeners };
    expect(ask('web:80', {}, { facts }).summary).toBe('yes');
    expect(ask('pod/web:81', {}, { facts }).summary).toBe(
      'no: nothing in pod shop/web listens at 81/TCP: it listens at 8080',
    );
    expect(ask('pod/web:8080', {}, { facts, protocol: 'udp' }).summary).toMatch(/it listens at no port/);
  });

  it('knows where else somebody listens, and of nodes that do not run', () => {
    const listeners = new Map([['10.244.2.7', parseListeners('tcp LISTEN 0 4096 127.0.0.1:8080 *:*\n')]]);
    expect(ask('web:80', {}, { facts: { ...NO_FACTS, listeners } }).summary).toBe(
      'no: pod shop/web listens at 127.0.0.1:8080, and not at 10.244.2.7',
    );
    const stopped = new Set(['worker-2']);
    expect(ask('web:80', {}, { facts: { ...NO_FACTS, stopped } }).summary).toBe(
      'no: pod shop/web is on node worker-2, which does not run: podwire node start worker-2',
    );
  });

  it('what became of a test packet has the last word', () => {
    const told = (key: string, answered: boolean) =>
      ask('web:80', {}, { facts: { ...NO_FACTS, probes: new Map([[key, { answered, text: 'was lost' }]]) } }).summary;
    expect(told('tcp 10.244.2.7 8080', true)).toBe('yes');
    expect(told('tcp 10.244.2.7 8080', false)).toBe('no: a test packet to 10.244.2.7:8080 was lost');
    expect(told('tcp 10.96.0.20 80', false)).toBe('no: a test packet to 10.96.0.20:80 was lost');
    expect(told('udp 10.96.0.10 53', false)).toBe(
      'no: the name cannot be asked of the cluster DNS: a test packet to 10.96.0.10:53 was lost',
    );
  });

  it('sends test packets where nothing refuses them: to the DNS, the Service and its endpoints', () => {
    const wanted = (target: string, change: Partial<ClusterObjects> = {}, more: Partial<ExplainQuestion> = {}) => {
      const target_ = parseTarget(target, 'shop', ['shop']);
      const question = { client, target: target_, protocol: 'tcp', enforced: true, ...more } as const;
      return probesWorthwhile({ ...objects, ...change }, question).map(probeKey);
    };
    const dnsPods = {
      ...pod('coredns', '203.0.113.53', 'worker-2'),
      metadata: { namespace: 'kube-system', name: 'dns' },
    };
    const withDns = { pods: [...objects.pods, dnsPods] };
    expect(wanted('web:80', withDns)).toEqual(['udp 10.96.0.10 53', 'tcp 10.96.0.20 80', 'tcp 10.244.2.7 8080']);
    expect(wanted('svc/web:80')).toEqual(['tcp 10.96.0.20 80', 'tcp 10.244.2.7 8080']);
    expect(wanted('pod/web', {}, { protocol: 'icmp' })).toEqual(['icmp 10.244.2.7 0']);
    expect(wanted('worker-2:22')).toEqual(['tcp 192.168.1.11 22']);
    for (const nobody of ['203.0.113.9:443', 'example.com:443', 'lost:80', 'nobody:80'])
      expect(wanted(nobody)).toEqual([]);
    expect(wanted('svc/web:80', { policies: [denyIn] })).toEqual([]);
    const both = { slices: [slice('10.244.2.7', '10.244.3.8')] };
    expect(wanted('svc/web:80', both)).toEqual(['tcp 10.244.2.7 8080']); // the Service's address may lead to the one that is lost
  });

  it('knows of routes that are not there, either way', () => {
    const byDefault = parseRoute('10.244.2.7 via 192.168.1.1 dev eth0 src 192.168.1.10 uid 0', DEFAULT_ROUTE)!;
    const byTunnel = parseRoute('10.244.2.7 via 10.244.2.0 dev flannel.1 src 10.244.1.0 uid 0', DEFAULT_ROUTE)!;
    const along = (node: string, to: string, route: typeof byDefault | null) =>
      ask('web:80', {}, { facts: { ...NO_FACTS, routes: new Map([[routeKey(node, to), route]]) } }).summary;
    expect(along('worker-1', '10.244.2.7', byTunnel)).toBe('yes');
    expect(along('worker-1', '10.244.2.7', byDefault)).toBe(
      'no: node worker-1 has no route to 10.244.2.7, and it would leave by the default route',
    );
    expect(along('worker-2', '10.244.1.5', null)).toBe('no: node worker-2 has no route to 10.244.1.5');
  });

  it('judges what a node sends by the address that it sends with', () => {
    const onNode = pod('on-node', '192.168.1.10', 'worker-1', { hostNetwork: true, containers: [] });
    const policies = [
      policy('nodes', {
        podSelector: { matchLabels: { app: 'web' } },
        ingress: [{ from: [{ ipBlock: { cidr: '192.168.1.0/24' } }] }],
      }),
    ];
    const route = parseRoute('10.244.2.7 via 10.244.2.0 dev flannel.1 src 10.244.1.0 uid 0', DEFAULT_ROUTE)!;
    const facts = { ...NO_FACTS, routes: new Map([[routeKey('worker-1', '10.244.2.7'), route]]) };
    expect(ask('svc/web:80', { policies }, { client: onNode }).passes).toBe(true);
    expect(ask('svc/web:80', { policies }, { client: onNode, facts }).passes).toBe(false);
  });

  it('knows of links that are cut, either way', () => {
    const fault = (from: string, node: string): LinkFault => ({
      target: { kind: 'peer', node },
      from,
      to: node,
      impairment: { ...UNIMPAIRED, partition: true },
      seed: 1,
      counters: { passed: 0, delayed: 0, duplicated: 0, reordered: 0, corrupted: 0, dropped: {}, waiting: 0 },
    });
    const across = (...faults: LinkFault[]) => ask('web:80', {}, { facts: { ...NO_FACTS, faults } }).summary;
    expect(across(fault('worker-1', 'worker-2'))).toBe('no: the link worker-1 -> worker-2 is cut: podwire link show');
    expect(across(fault('worker-2', 'worker-1'))).toMatch(/^no: the link worker-2 -> worker-1 is cut/);
    expect(across(fault('worker-1', 'worker-3'))).toBe('yes');
    const elsewhere = (from: string, to: string, target: LinkFault['target']) =>
      across({ ...fault(from, to), target, to });
    const eth0 = { kind: 'device', device: 'eth0' } as const;
    expect(elsewhere('worker-2:eth0', 'worker-2', { ...eth0, direction: 'from' })).toMatch(
      /^no: the link worker-2:eth0/,
    );
    expect(elsewhere('worker-1', 'worker-1:eth0', { ...eth0, direction: 'to' })).toMatch(
      /^no: the name cannot be asked/,
    );
    expect(elsewhere('worker-3', 'worker-3:eth0', { ...eth0, direction: 'to' })).toBe('yes');
    const cable = (name: string) =>
      elsewhere('worker-2', `shop/${name}`, { kind: 'pod', namespace: 'shop', pod: name, direction: 'to' });
    expect([cable('web'), cable('other')]).toEqual([
      expect.stringMatching(/^no: the link worker-2 -> shop\/web/),
      'yes',
    ]);
  });

  it('says that a policy has no effect where none is enforced', () => {
    const { passes, backends } = ask('web:80', { policies: [denyIn] }, { enforced: false });
    expect(passes).toBe(true);
    expect(backends[0]?.steps.at(-1)?.text).toMatch(/without effect/);
  });
});

describe('what if', () => {
  it('lists the pairs and ports that would change, and who would decide', () => {
    const changes = changesBetween(objects, withPolicies([], [denyIn, allowClient]));
    const tcp = changes.filter(({ protocol, to }) => protocol === 'TCP' && to === 'shop/web');
    expect(tcp.map(({ from, ports, after }) => `${from} ${ports} ${after}`)).toEqual([
      'shop/client 0-8079 denied',
      'shop/client 8081-65535 denied',
      'shop/lost all denied',
    ]);
    expect(tcp[0]?.cause).toBe('NetworkPolicy shop/allow, NetworkPolicy shop/deny');
    expect(changes.some(({ protocol }) => protocol === 'ICMP')).toBe(true);
  });

  it('replaces a policy of the same name', () => {
    const open = policy('deny', { podSelector: {}, ingress: [{}] });
    const policies = withPolicies([denyIn], [open]);
    expect(policies).toEqual([open]);
    expect(changesBetween({ ...objects, policies: [denyIn] }, policies)).toMatchObject([
      { from: 'shop/client', to: 'shop/web', ports: 'all', after: 'allowed' },
      {},
      {},
      {},
      {},
      {},
      {},
      {},
    ]);
  });

  it('takes a policy away', () => {
    const objectsNow = { ...objects, policies: [denyIn, allowClient] };
    const changes = changesBetween(objectsNow, withoutPolicies(objectsNow.policies, [denyIn, allowClient]));
    expect(new Set(changes.map(({ after }) => after))).toEqual(new Set(['allowed']));
    expect(() => withoutPolicies([], [denyIn])).toThrow(
      'there is no networkpolicies.networking.k8s.io shop/deny to be deleted',
    );
  });

  it('finds nothing where nothing changes', () => {
    expect(changesBetween({ ...objects, policies: [denyIn] }, [denyIn])).toEqual([]);
  });

  it('tells what is allowed in part, where rules ask what a connection carries', () => {
    const toPorts = [{ ports: [{ port: '8080', protocol: 'TCP' }], rules: { http: [{ method: 'GET' }] } }];
    const spec = { endpointSelector: { matchLabels: { app: 'web' } }, ingress: [{ toPorts }] };
    const http = { resource: CILIUMNETWORKPOLICIES, object: { metadata: { namespace: 'shop', name: 'http' }, spec } };
    const verdicts = changesBetween(objects, [http])
      .filter(({ from, protocol }) => from === 'shop/client' && protocol === 'TCP')
      .map(({ ports, after }) => `${ports} ${after}`);
    expect(verdicts).toEqual(['0-8079 denied', '8080 allowed in part', '8081-65535 denied']);
    expect(changesBetween({ ...objects, policies: [http] }, [http])).toEqual([]);
  });
});
