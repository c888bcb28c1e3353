import type { Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { NetworkPolicySpec } from 'kubernetes-types/networking/v1.js';
import { describe, expect, it } from 'vitest';
import { NETWORKPOLICIES } from '../../shared/api/resources.ts';
import type { ClusterObjects, PolicyObject } from './cluster-objects.ts';
import { type ExplainQuestion, explain } from './explain.ts';
import { parseTarget } from './target.ts';
import { changesBetween, withPolicies } from './what-if.ts';

function pod(name: string, ip: string, nodeName: string, extra: Pod['spec'] = { containers: [] }): Pod {
  const containers = [{ name: 'c', ports: [{ containerPort: 8080 }] }];
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
  spec: { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20'], ports: [{ port: 80, targetPort: 8080 }] },
};

function slice(...addresses: readonly string[]): EndpointSlice {
  return {
    metadata: { namespace: 'shop', name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ port: 8080, protocol: 'TCP' }],
  };
}

const client = pod('client', '10.244.1.5', 'worker-1');
const objects: ClusterObjects = {
  pods: [client, pod('web', '10.244.2.7', 'worker-2'), pod('lost', '10.244.3.8', 'worker-3')],
  namespaces: [{ metadata: { name: 'shop', labels: { team: 'red' } } }],
  nodes: [
    node('worker-1', '192.168.1.10', true, '10.244.1.0/24'),
    node('worker-2', '192.168.1.11', true, '10.244.2.0/24'),
    node('worker-3', '192.168.1.12', false, '10.244.3.0/24'),
  ],
  services: [service],
  slices: [slice('10.244.2.7')],
  policies: [],
};

function policy(name: string, spec: NetworkPolicySpec): PolicyObject {
  return { resource: NETWORKPOLICIES, object: { metadata: { namespace: 'shop', name }, spec } };
}
const denyIn = policy('deny', { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] });
const allowClient = policy('allow', {
  podSelector: {},
  ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: 8080 }] }],
});

function ask(target: string, change: Partial<ClusterObjects> = {}, more: Partial<ExplainQuestion> = {}) {
  const question = { client, target: parseTarget(target, 'shop'), protocol: 'tcp', enforced: true } as const;
  return explain({ ...objects, ...change }, { ...question, ...more });
}

describe('explain', () => {
  it.each([
    ['a Service', 'web:80', {}, 'yes'],
    ['its address', '10.96.0.20:80', {}, 'yes'],
    ['its pod, with the declared port', 'pod/web', {}, 'yes'],
    ['a port that the Service lacks', 'web:81', {}, /no: Service shop\/web has no port 81\/TCP: it has 80\/TCP/],
    ['a Service without endpoints', 'web:80', { slices: [] }, /no endpoint for port 80: its selector finds no pod/],
    ['nothing of that name', 'nobody:80', {}, /no: there is no Service or pod shop\/nobody/],
    ['an address that no pod has', '10.244.2.99:80', {}, /no: no pod has the address 10.244.2.99/],
    ['a pod on a node that is down', 'lost:80', {}, /no: pod shop\/lost is on node worker-3, which is not Ready/],
    ['what is beyond the cluster', '203.0.113.9:443', {}, 'yes'],
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
      { slices: [slice('10.244.2.7', '10.244.3.8')] },
      /sometimes: 1 of 2 endpoints can be reached; pod shop\/lost/,
    ],
  ])('%s', (_, target, change, summary) => {
    const { passes, summary: said } = ask(target, change);
    if (typeof summary === 'string') expect(said).toBe(summary);
    else expect(said).toMatch(summary);
    expect(passes).toBe(said === 'yes');
  });

  it('names the rule that allows', () => {
    const { backends } = ask('web:80', { policies: [denyIn, allowClient] });
    expect(backends[0]?.steps.map(({ text }) => text)).toContain('allowed by NetworkPolicy shop/allow, ingress rule 1');
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

  it('finds nothing where nothing changes', () => {
    expect(changesBetween({ ...objects, policies: [denyIn] }, [denyIn])).toEqual([]);
  });
});
