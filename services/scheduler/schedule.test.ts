import type { Affinity, Node, Pod, PodSpec, Taint } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../shared/api/live.ts';
import { ClusterState } from './node-info.ts';
import { podRequest } from './pod-request.ts';
import { type Decision, schedule } from './schedule.ts';

const meta = (name: string) => ({
  name,
  uid: `uid-${name}`,
  creationTimestamp: '2026-01-01T00:00:00Z',
  resourceVersion: '1',
});

interface NodeFacts {
  readonly labels?: Record<string, string>;
  readonly taints?: Taint[];
  readonly unschedulable?: boolean;
  readonly allocatable?: Record<string, string>;
}

function node(name: string, { labels, taints, unschedulable, allocatable }: NodeFacts = {}): Live<Node> {
  return {
    metadata: { ...meta(name), labels: { 'kubernetes.io/hostname': name, zone: `z-${name}`, ...labels } },
    spec: { taints, unschedulable },
    status: { allocatable: { cpu: '2', memory: '4Gi', pods: '110', ...allocatable } },
  };
}

function pod(
  name: string,
  spec: Partial<PodSpec> = {},
  labels: Record<string, string> = { app: 'web' },
  owner?: string,
): Live<Pod> {
  return {
    metadata: {
      ...meta(name),
      namespace: 'default',
      labels,
      ...(owner === undefined
        ? {}
        : {
            ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }],
          }),
    },
    spec: { containers: [{ name: 'c' }], ...spec },
  };
}

const cpu = (amount: string): Partial<PodSpec> => ({
  containers: [{ name: 'c', resources: { requests: { cpu: amount } } }],
});
const hostPort = (port: number): Partial<PodSpec> => ({
  containers: [{ name: 'c', ports: [{ containerPort: port, hostPort: port }] }],
});
const affinity = (value: Affinity): Partial<PodSpec> => ({ affinity: value });
const term = (topologyKey = 'kubernetes.io/hostname') => [
  { labelSelector: { matchLabels: { app: 'web' } }, topologyKey },
];
const antiAffinity = affinity({ podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: term() } });
const together = affinity({ podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: term('zone') } });
const spread = (maxSkew: number): Partial<PodSpec> => ({
  topologySpreadConstraints: [
    {
      maxSkew,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: { matchLabels: { app: 'web' } },
    },
  ],
});

function decide(nodes: Live<Node>[], placed: [Live<Pod>, string][], one: Live<Pod>): Decision {
  const cluster = new ClusterState();
  for (const each of nodes) cluster.setNode(each);
  for (const [other, where] of placed) cluster.placePod(other, where);
  const placement = {
    pod: one,
    request: podRequest(one.spec),
    nodes: cluster.nodes(),
    nominated: new Map(),
    namespaces: new Map(),
  };
  return schedule(placement, () => 0);
}

const where = (decision: Decision): string => (decision.kind === 'bind' ? decision.nodeName : decision.message);
const noPreemption = 'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
const noVictims = 'preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.';
const lost: Taint = { key: 'node.kubernetes.io/unreachable', effect: 'NoSchedule' };

describe('where a pod goes', () => {
  it.each<[string, Live<Node>[], [Live<Pod>, string][], Live<Pod>, string]>([
    ['the only node', [node('a')], [], pod('p'), 'a'],
    ['not a node that is lost', [node('a', { taints: [lost] }), node('b')], [], pod('p'), 'b'],
    ['not a cordoned node', [node('a', { unschedulable: true }), node('b')], [], pod('p'), 'b'],
    [
      'the node of nodeSelector',
      [node('a'), node('b', { labels: { disk: 'ssd' } })],
      [],
      pod('p', { nodeSelector: { disk: 'ssd' } }),
      'b',
    ],
    [
      'the node of a daemon pod',
      [node('a'), node('b')],
      [],
      pod(
        'p',
        affinity({
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }],
            },
          },
        }),
      ),
      'b',
    ],
    [
      'the preferred node',
      [node('a'), node('b', { labels: { disk: 'ssd' } })],
      [],
      pod(
        'p',
        affinity({
          nodeAffinity: {
            preferredDuringSchedulingIgnoredDuringExecution: [
              { weight: 50, preference: { matchExpressions: [{ key: 'disk', operator: 'Exists' }] } },
            ],
          },
        }),
      ),
      'b',
    ],
    ['where the CPU fits', [node('a'), node('b')], [[pod('x', cpu('1500m')), 'a']], pod('p', cpu('1')), 'b'],
    [
      'where the host port is free',
      [node('a'), node('b')],
      [[pod('x', hostPort(80)), 'a']],
      pod('p', hostPort(80)),
      'b',
    ],
    ['away from its kind', [node('a'), node('b')], [[pod('x'), 'a']], pod('p', antiAffinity), 'b'],
    ['away from who keeps it away', [node('a'), node('b')], [[pod('x', antiAffinity), 'a']], pod('p'), 'b'],
    ['to its kind', [node('a'), node('b')], [[pod('x'), 'b']], pod('p', together), 'b'],
    ['anywhere as the first of its kind', [node('a')], [], pod('p', together), 'a'],
    ['to the emptier zone', [node('a'), node('b')], [[pod('x'), 'a']], pod('p', spread(1)), 'b'],
    [
      'away from its siblings',
      [node('a'), node('b'), node('c')],
      [
        [pod('x', {}, {}, 'rs'), 'a'],
        [pod('y', {}, {}, 'rs'), 'b'],
      ],
      pod('p', {}, {}, 'rs'),
      'c',
    ],
    ['to the emptier node', [node('a'), node('b')], [[pod('x', cpu('1')), 'a']], pod('p', cpu('100m')), 'b'],
    [
      'not where a taint asks to stay away',
      [node('a', { taints: [{ key: 'x', effect: 'PreferNoSchedule' }] }), node('b')],
      [],
      pod('p'),
      'b',
    ],
  ])('%s', (_, nodes, placed, one, expected) => {
    expect(where(decide(nodes, placed, one))).toBe(expected);
  });

  it.each<[string, Live<Node>[], [Live<Pod>, string][], Live<Pod>, string]>([
    ['no node', [], [], pod('p'), 'no nodes available to schedule pods'],
    [
      'taints',
      [node('a', { taints: [lost] }), node('b', { taints: [lost] })],
      [],
      pod('p'),
      `0/2 nodes are available: 2 node(s) had untolerated taint {node.kubernetes.io/unreachable: }. ${noPreemption}`,
    ],
    [
      'selector and CPU',
      [node('a', { labels: { d: '1' } }), node('b')],
      [],
      pod('p', { nodeSelector: { d: '1' }, ...cpu('9') }),
      `0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector. ${noPreemption}`,
    ],
    [
      'CPU that others hold',
      [node('a'), node('b')],
      [
        [pod('x', cpu('2')), 'a'],
        [pod('y', cpu('2')), 'b'],
      ],
      pod('p', cpu('1')),
      `0/2 nodes are available: 2 Insufficient cpu. ${noVictims}`,
    ],
    [
      'cordoned',
      [node('a', { unschedulable: true }), node('b', { unschedulable: true })],
      [],
      pod('p'),
      `0/2 nodes are available: 2 node(s) were unschedulable. ${noPreemption}`,
    ],
    [
      'ports',
      [node('a'), node('b')],
      [
        [pod('x', hostPort(80)), 'a'],
        [pod('y', hostPort(80)), 'b'],
      ],
      pod('p', hostPort(80)),
      `0/2 nodes are available: 2 node(s) didn't have free ports for the requested pod ports. ${noVictims}`,
    ],
    [
      'anti-affinity',
      [node('a'), node('b')],
      [
        [pod('x'), 'a'],
        [pod('y'), 'b'],
      ],
      pod('p', antiAffinity),
      `0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules. ${noVictims}`,
    ],
    [
      'affinity to nobody',
      [node('a'), node('b')],
      [],
      pod('p', together, { app: 'db' }),
      `0/2 nodes are available: 2 node(s) didn't match pod affinity rules. ${noPreemption}`,
    ],
    [
      'pods a node may have',
      [node('a', { allocatable: { pods: '1' } }), node('b', { allocatable: { pods: '0' } })],
      [[pod('x'), 'a']],
      pod('p'),
      `0/2 nodes are available: 2 Too many pods. ${noVictims}`,
    ],
    [
      'a missing topology label',
      [node('a'), node('b')],
      [],
      pod('p', {
        topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'rack', whenUnsatisfiable: 'DoNotSchedule' }],
      }),
      `0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints (missing required label). ${noPreemption}`,
    ],
  ])('says why: %s', (_, nodes, placed, one, expected) => {
    expect(where(decide(nodes, placed, one))).toBe(expected);
  });

  it('spreads replicas evenly, one decision after the other', () => {
    const cluster = new ClusterState();
    for (const name of ['a', 'b', 'c']) cluster.setNode(node(name));
    const counts: Record<string, number> = {};
    for (let i = 0; i < 30; i++) {
      const one = pod(`p${i}`, {}, {}, 'rs');
      const decision = schedule(
        { pod: one, request: {}, nodes: cluster.nodes(), nominated: new Map(), namespaces: new Map() },
        () => 0.5,
      );
      expect(decision.kind).toBe('bind');
      cluster.placePod(one, where(decision));
      counts[where(decision)] = (counts[where(decision)] ?? 0) + 1;
    }
    expect(counts).toEqual({ a: 10, b: 10, c: 10 });
  });
});

describe('what a pod asks for', () => {
  it('is the larger of its containers and its biggest init container, with sidecars counted all along', () => {
    const amount = (value: string, more = {}) => ({ name: 'c', resources: { requests: { cpu: value } }, ...more });
    expect(podRequest({ containers: [amount('100m'), amount('200m')] })).toEqual({ cpu: 300 });
    expect(podRequest({ containers: [amount('100m')], initContainers: [amount('1')] })).toEqual({ cpu: 1000 });
    expect(
      podRequest({
        containers: [amount('100m')],
        initContainers: [amount('50m', { restartPolicy: 'Always' }), amount('400m')],
      }),
    ).toEqual({ cpu: 450 });
    expect(
      podRequest({ containers: [{ name: 'c', resources: { limits: { memory: '1Gi' } } }], overhead: { cpu: '10m' } }),
    ).toEqual({ memory: 2 ** 30, cpu: 10 });
  });
});
