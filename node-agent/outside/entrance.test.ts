import type { Service } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { announcerOf } from './announcer.ts';
import { entrancesOf } from './entrance.ts';

const node = { nodeName: 'worker-1', internalIp: '192.168.1.10', bindAddress: '127.0.3.10' };

const service = (type: string, more: object = {}, ingress: string[] = []): Service => ({
  metadata: { namespace: 'default', name: 'web' },
  spec: {
    type,
    ports: [
      { port: 80, nodePort: 30080 },
      { port: 53, nodePort: 30053, protocol: 'UDP' },
    ],
    ...more,
  },
  status: { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } },
});

const texts = (from: ReturnType<typeof entrancesOf>) =>
  [...from.values()].map(({ protocol, address, port, realAddress }) => `${protocol} ${address}:${port} ${realAddress}`);

describe('entrances', () => {
  it('are the NodePorts, at the node itself', () => {
    expect(texts(entrancesOf([service('NodePort')], node, () => undefined))).toEqual([
      'tcp 192.168.1.10:30080 127.0.3.10',
      'udp 192.168.1.10:30053 127.0.3.10',
    ]);
  });

  it('are none for IPv6, which the way in does not carry', () => {
    const alone = service('NodePort', { ipFamilies: ['IPv6'] });
    expect(texts(entrancesOf([alone], node, () => undefined))).toEqual([]);
    const balanced = service('LoadBalancer', { ipFamilies: ['IPv4', 'IPv6'] }, ['fd00::240']);
    expect(texts(entrancesOf([balanced], node, () => 'worker-1'))).toHaveLength(2);
  });

  it('are the LoadBalancer addresses too where this node announces them, last octet for last octet', () => {
    const balanced = service('LoadBalancer', {}, ['192.168.1.240']);
    expect(texts(entrancesOf([balanced], node, () => 'worker-2')).length).toBe(2);
    expect(texts(entrancesOf([balanced], node, () => 'worker-1')).slice(2)).toEqual([
      'tcp 192.168.1.240:80 127.0.3.240',
      'udp 192.168.1.240:53 127.0.3.240',
    ]);
  });

  it('stand at the node where there is one real address for all, or the address is of another network', () => {
    const at = (bindAddress: string, ip: string) =>
      texts(entrancesOf([service('LoadBalancer', {}, [ip])], { ...node, bindAddress }, () => 'worker-1'))[2];
    expect(at('127.0.0.1', '192.168.1.240')).toBe('tcp 192.168.1.240:80 127.0.0.1');
    expect(at('172.18.0.4', '192.168.1.240')).toBe('tcp 192.168.1.240:80 172.18.0.4');
    expect(at('127.0.3.10', '203.0.113.7')).toBe('tcp 203.0.113.7:80 127.0.3.10');
  });

  it('are not there for SCTP, nor without a node port', () => {
    const ports = [{ port: 80, protocol: 'SCTP', nodePort: 30000 }, { port: 81 }];
    expect(texts(entrancesOf([service('NodePort', { ports })], node, () => undefined))).toEqual([]);
  });
});

describe('the announcer', () => {
  const nodes = ['worker-1', 'worker-2', 'worker-3'];
  const named = (name: string, more: object = {}): Service => ({
    ...service('LoadBalancer', more),
    metadata: { namespace: 'x', name },
  });

  it('is the same for every node, and only what a dead node had moves', () => {
    const services = Array.from({ length: 300 }, (_, i) => named(`web-${i}`));
    const before = services.map((one) => announcerOf(one, { readyNodes: nodes, slices: [] }));
    const after = services.map((one) => announcerOf(one, { readyNodes: ['worker-3', 'worker-1'], slices: [] }));
    for (const name of nodes) expect(before.filter((one) => one === name).length).toBeGreaterThan(60);
    expect(after.filter((one, i) => one !== before[i] && before[i] !== 'worker-2')).toEqual([]);
  });

  it('has a ready endpoint under the policy Local', () => {
    const slice: EndpointSlice = {
      addressType: 'IPv4',
      metadata: { namespace: 'x', labels: { 'kubernetes.io/service-name': 'web' } },
      endpoints: [
        { addresses: [], nodeName: 'worker-2', conditions: { ready: true } },
        { addresses: [], nodeName: 'worker-3', conditions: { ready: false } },
      ],
    };
    const local = named('web', { externalTrafficPolicy: 'Local' });
    expect(announcerOf(local, { readyNodes: nodes, slices: [slice] })).toBe('worker-2');
    expect(announcerOf(local, { readyNodes: ['worker-1', 'worker-3'], slices: [slice] })).toBeUndefined();
  });
});
