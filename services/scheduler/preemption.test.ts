import type { Node, Pod, PodSpec } from 'kubernetes-types/core/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../shared/api/live.ts';
import { ClusterState } from './node-info.ts';
import { Nominations } from './nominations.ts';
import { podRequest } from './pod-request.ts';
import { type Decision, schedule } from './schedule.ts';

const meta = (name: string) => ({
  name,
  uid: `uid-${name}`,
  namespace: 'default',
  creationTimestamp: '2026-01-01T00:00:00Z',
  resourceVersion: '1',
});

function node(name: string, taints: { key: string; effect: string }[] = []): Live<Node> {
  return {
    metadata: meta(name),
    spec: { taints },
    status: { allocatable: { cpu: '1', memory: '4Gi', pods: '110' } },
  };
}

interface PodFacts {
  readonly priority?: number;
  readonly cpu?: string;
  readonly label?: string;
  readonly startedAt?: string;
  readonly spec?: Partial<PodSpec>;
  readonly nominated?: string;
  readonly leaving?: boolean;
}

function pod(name: string, { priority = 0, cpu = '500m', label = name, startedAt, ...rest }: PodFacts = {}): Live<Pod> {
  const deleted = rest.leaving ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {};
  return {
    metadata: { ...meta(name), labels: { app: label }, ...deleted },
    spec: { priority, containers: [{ name: 'c', resources: { requests: { cpu } } }], ...rest.spec },
    status: { startTime: startedAt, nominatedNodeName: rest.nominated },
  };
}

function budget(label: string, disruptionsAllowed: number): Live<PodDisruptionBudget> {
  return {
    metadata: meta(label),
    spec: { selector: { matchLabels: { app: label } } },
    status: { disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
  };
}

interface Situation {
  readonly nodes?: readonly Live<Node>[];
  readonly placed: readonly (readonly [Live<Pod>, string])[];
  readonly budgets?: readonly Live<PodDisruptionBudget>[];
  readonly nominated?: readonly (readonly [Live<Pod>, string])[];
}

function decide(
  one: Live<Pod>,
  { nodes = [node('a'), node('b')], placed, budgets, nominated = [] }: Situation,
): Decision {
  const cluster = new ClusterState();
  for (const each of nodes) cluster.setNode(each);
  for (const [other, where] of placed) cluster.placePod(other, where);
  const nominations = new Nominations();
  for (const [other, where] of nominated) nominations.set(other, where);
  const placement = {
    pod: one,
    request: podRequest(one.spec),
    nodes: cluster.nodes(),
    nominated: nominations.before(one),
    namespaces: new Map(),
  };
  return schedule(placement, () => 0, budgets);
}

function victims(decision: Decision): string {
  if (decision.kind === 'bind') return `bound to ${decision.nodeName}`;
  const { preemption, message } = decision;
  return preemption === undefined
    ? message
    : `${preemption.nodeName}: ${preemption.victims.map(({ metadata }) => metadata.name).join(' ')}`;
}

const one = [node('a')];

describe('who makes room', () => {
  const high = pod('high', { priority: 10, cpu: '800m' });

  it.each<[string, Live<Pod>, Situation, string]>([
    ['nobody, where there is room', high, { placed: [[pod('x', { cpu: '1' }), 'a']] }, 'bound to b'],
    ['the one of lower priority', high, { nodes: one, placed: [[pod('x'), 'a']] }, 'a: x'],
    [
      'no more than have to',
      high,
      {
        nodes: one,
        placed: [
          [pod('x', { cpu: '100m' }), 'a'],
          [pod('y', { cpu: '800m' }), 'a'],
        ],
      },
      'a: y',
    ],
    [
      'the least important',
      pod('high', { priority: 10, cpu: '500m' }),
      {
        nodes: one,
        placed: [
          [pod('x', { priority: 5 }), 'a'],
          [pod('y', { priority: 1 }), 'a'],
        ],
      },
      'a: y',
    ],
    [
      'of equals the one that came last',
      pod('high', { priority: 10, cpu: '500m' }),
      {
        nodes: one,
        placed: [
          [pod('x', { startedAt: '2026-01-01T00:00:02Z' }), 'a'],
          [pod('y', { startedAt: '2026-01-01T00:00:01Z' }), 'a'],
        ],
      },
      'a: x',
    ],
    [
      'where the most important victim is the least so',
      high,
      {
        placed: [
          [pod('x', { priority: 3 }), 'a'],
          [pod('y', { priority: 2 }), 'b'],
        ],
      },
      'b: y',
    ],
    [
      'where there are fewer',
      pod('high', { priority: 10, cpu: '1' }),
      {
        placed: [
          [pod('w'), 'a'],
          [pod('x'), 'a'],
          [pod('y'), 'b'],
        ],
      },
      'b: y',
    ],
    [
      'where they have run for less long',
      high,
      {
        placed: [
          [pod('x', { startedAt: '2026-01-01T00:00:01Z' }), 'a'],
          [pod('y', { startedAt: '2026-01-01T00:00:02Z' }), 'b'],
        ],
      },
      'b: y',
    ],
    [
      'rather those that no budget protects',
      high,
      {
        placed: [
          [pod('x'), 'a'],
          [pod('y', { priority: 9 }), 'b'],
        ],
        budgets: [budget('x', 0)],
      },
      'b: y',
    ],
    [
      'protected ones when there are no others',
      high,
      { nodes: one, placed: [[pod('x'), 'a']], budgets: [budget('x', 0)] },
      'a: x',
    ],
  ])('%s', (_, preemptor, situation, expected) => {
    expect(victims(decide(preemptor, situation))).toBe(expected);
  });
});

describe('nobody makes room', () => {
  const cpu = '0/1 nodes are available: 1 Insufficient cpu. preemption: ';
  it.each<[string, Live<Pod>, Situation, string]>([
    [
      'of the same priority',
      pod('p', { priority: 5, cpu: '800m' }),
      { nodes: one, placed: [[pod('x', { priority: 5 }), 'a']] },
      `${cpu}0/1 nodes are available: 1 No preemption victims found for incoming pod.`,
    ],
    [
      'when it would not do',
      pod('p', { priority: 5, cpu: '800m' }),
      {
        nodes: one,
        placed: [
          [pod('x', { priority: 7 }), 'a'],
          [pod('y', { cpu: '100m' }), 'a'],
        ],
      },
      `${cpu}0/1 nodes are available: 1 Insufficient cpu.`,
    ],
    [
      'for who does not want it',
      pod('p', { priority: 5, cpu: '800m', spec: { preemptionPolicy: 'Never' } }),
      { nodes: one, placed: [[pod('x'), 'a']] },
      `${cpu}not eligible due to preemptionPolicy=Never.`,
    ],
    [
      'while others are leaving already',
      pod('p', { priority: 5, cpu: '800m', nominated: 'a' }),
      { nodes: one, placed: [[pod('x', { leaving: true }), 'a']] },
      `${cpu}not eligible due to a terminating pod on the nominated node.`,
    ],
    [
      'on a node that is not for the pod',
      pod('p', { priority: 5, cpu: '800m' }),
      { nodes: [node('a', [{ key: 'gpu', effect: 'NoSchedule' }])], placed: [[pod('x'), 'a']] },
      '0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.',
    ],
  ])('%s', (_, preemptor, situation, expected) => {
    expect(victims(decide(preemptor, situation))).toBe(expected);
  });
});

describe('room that is being made', () => {
  const coming = pod('coming', { priority: 5, cpu: '800m' });

  it('is not taken by who is less important', () => {
    const decision = decide(pod('low'), { placed: [[pod('x'), 'b']], nominated: [[coming, 'a']] });
    expect(victims(decision)).toBe('bound to b');
  });

  it('is taken by who is more important', () => {
    const decision = decide(pod('high', { priority: 9 }), { nodes: one, placed: [], nominated: [[coming, 'a']] });
    expect(victims(decision)).toBe('bound to a');
  });

  it('is there for whom it was made', () => {
    const decision = decide(coming, { nodes: one, placed: [], nominated: [[coming, 'a']] });
    expect(victims(decision)).toBe('bound to a');
  });

  it('tells who was pushed aside', () => {
    const nominations = new Nominations();
    nominations.set(coming, 'a');
    expect(nominations.below(9, 'a')).toEqual([coming]);
    expect(nominations.below(5, 'a')).toEqual([]);
    nominations.remove(coming.metadata.uid);
    expect(nominations.below(9, 'a')).toEqual([]);
  });
});
