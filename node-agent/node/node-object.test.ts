import { describe, expect, test } from 'vitest';
import { type NodeFacts, nodeConditions, nodeObject, nodeStatusBase, stampConditions } from './node-object.ts';

const FACTS: NodeFacts = {
  name: 'worker-1',
  internalIp: '192.168.1.10',
  zone: 'zone-a',
  region: 'local',
  architecture: 'amd64',
  kernelVersion: '6.1.0',
  machineId: 'm',
  bootId: 'b',
  maxPods: 250,
  annotations: { 'podwire.dev/underlay-endpoint': '127.0.1.10:4789' },
};
const NO_NETWORK = { ready: false, reason: '', message: '' };
const FLANNEL = { ready: true, reason: 'FlannelIsUp', message: 'Flannel is running on this node' };

describe('a node', () => {
  test('carries the labels and addresses that clients look for, and no taint', () => {
    const node = nodeObject(FACTS);
    expect(node.metadata?.labels).toMatchObject({
      'kubernetes.io/hostname': 'worker-1',
      'kubernetes.io/os': 'linux',
      'kubernetes.io/arch': 'amd64',
      'topology.kubernetes.io/zone': 'zone-a',
      'topology.kubernetes.io/region': 'local',
    });
    const { zone: _, ...elsewhere } = FACTS;
    expect(nodeObject(elsewhere).metadata?.labels).toMatchObject({ 'topology.kubernetes.io/zone': 'local-a' });
    expect(node.spec?.taints).toBeUndefined();
    expect(nodeStatusBase(FACTS).addresses).toEqual([
      { type: 'InternalIP', address: '192.168.1.10' },
      { type: 'Hostname', address: 'worker-1' },
    ]);
  });

  test('is not ready without a CNI, in the known words, and says nothing of NetworkUnavailable', () => {
    const conditions = nodeConditions(NO_NETWORK);
    expect(conditions.find((c) => c.type === 'Ready')).toMatchObject({
      status: 'False',
      reason: 'KubeletNotReady',
      message: expect.stringContaining('cni plugin not initialized'),
    });
    expect(conditions.some((c) => c.type === 'NetworkUnavailable')).toBe(false);
  });

  test('is ready once the CNI is up', () => {
    const conditions = nodeConditions(FLANNEL);
    expect(conditions.find((c) => c.type === 'Ready')).toMatchObject({ status: 'True', reason: 'KubeletReady' });
    expect(conditions.find((c) => c.type === 'NetworkUnavailable')).toMatchObject({
      status: 'False',
      reason: 'FlannelIsUp',
    });
  });

  test('keeps the time of a condition that did not change', () => {
    const first = stampConditions(nodeConditions(NO_NETWORK), [], '2026-01-31T08:00:00Z');
    const second = stampConditions(nodeConditions(FLANNEL), first, '2026-01-31T08:00:10Z');
    const times = Object.fromEntries(second.map((c) => [c.type, c.lastTransitionTime]));
    expect(times.Ready).toBe('2026-01-31T08:00:10Z');
    expect(times.MemoryPressure).toBe('2026-01-31T08:00:00Z');
    expect(second.every((c) => c.lastHeartbeatTime === '2026-01-31T08:00:10Z')).toBe(true);
  });
});
