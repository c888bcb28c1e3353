import type { Node } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, test } from 'vitest';
import { NODES } from '../../shared/api/resources.ts';
import { alreadyExists } from '../../shared/api/status.ts';
import type { ApiClient, Patch } from '../../shared/bus/api-client.ts';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { silentLogger } from '../../shared/runtime/log.ts';
import { NodeRegistration } from './registration.ts';

const FACTS = {
  name: 'worker-1',
  internalIp: '192.168.1.10',
  region: 'local',
  architecture: 'amd64',
  kernelVersion: '6',
  machineId: 'm',
  bootId: 'b',
  maxPods: 250,
  annotations: { 'podwire.dev/underlay-endpoint': '127.0.1.10:4789' },
};
const FLANNEL = { ready: true, reason: 'FlannelIsUp', message: 'Flannel is running on this node' };

function setUp(exists = false) {
  const patches: Patch[] = [];
  const clock = new FakeClock();
  // The rest of the client is not used here.
  const api = {
    create: async (_resource: unknown, node: Node) => {
      if (exists) throw alreadyExists(NODES, 'worker-1');
      return node;
    },
    patch: async (_resource: unknown, _name: string, _namespace: undefined, patch: Patch) => {
      patches.push(patch);
      return { metadata: { name: 'worker-1' } };
    },
  } as unknown as ApiClient;
  const signal = new AbortController().signal;
  const registration = new NodeRegistration({ facts: FACTS, api, clock, log: silentLogger(), signal });
  const readiness = () =>
    patches
      .map((patch) => (patch.body as { status?: Node['status'] }).status?.conditions?.find((c) => c.type === 'Ready'))
      .filter((condition) => condition !== undefined);
  return { registration, clock, patches, readiness };
}

describe('node registration', () => {
  test('creates the node, and says NotReady until the network is up', async () => {
    const { registration, clock, readiness } = setUp();
    await registration.register();
    await clock.advance(1);
    registration.setNetwork(FLANNEL);
    await clock.advance(1);
    expect(readiness().map(({ status }) => status)).toEqual(['False', 'True']);
  });

  test('brings the annotations of a node that was there before up to date', async () => {
    const { registration, patches } = setUp(true);
    await registration.register();
    expect(patches[0]?.body).toMatchObject({ metadata: { annotations: FACTS.annotations } });
    // A zone that somebody gave the node stays.
    expect(patches[0]?.body).not.toHaveProperty(['metadata', 'labels', 'topology.kubernetes.io/zone']);
  });

  test('puts right what was said of it while it was silent, with the time of the change', async () => {
    const { registration, clock, readiness } = setUp();
    await registration.register();
    registration.setNetwork(FLANNEL);
    await clock.advance(10_000);
    const before = readiness().length;
    const unknown = { type: 'Ready', status: 'Unknown', lastTransitionTime: '2025-01-01T00:00:05Z' };
    registration.observe({ status: { conditions: [unknown] } } as Node);
    await clock.advance(1);
    expect(readiness().length).toBe(before + 1);
    expect(readiness().at(-1)).toMatchObject({ status: 'True', lastTransitionTime: '2025-01-01T00:00:10Z' });
  });

  test('puts right what was said of it while it reported', async () => {
    const { registration, clock, readiness } = setUp();
    await registration.register();
    registration.setNetwork(FLANNEL);
    await clock.advance(10_000);
    const before = readiness().length;
    registration.report();
    registration.observe({ status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } } as Node);
    await clock.advance(1);
    expect(readiness().length).toBe(before + 2);
    expect(readiness().at(-1)?.status).toBe('True');
  });

  test('reports every few minutes when nothing changes', async () => {
    const { registration, clock, readiness } = setUp();
    await registration.register();
    await clock.advance(1);
    await clock.advance(300_000);
    expect(readiness().length).toBe(2);
  });
});
