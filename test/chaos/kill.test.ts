/** SIGKILL of each process of a cluster: what works while it is away, that everything heals, and that nothing is lost. */
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Lease } from 'kubernetes-types/coordination/v1.js';
import type { ConfigMap, Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGMAPS, DEPLOYMENTS, LEASES, NODES, PODS, SERVICES } from '../../shared/api/resources.ts';
import { waitFor } from '../wait-for.ts';
import { type ChaosCluster, ClusterHome, isAlive, type ProcessRow } from './chaos-cluster.ts';
import { askingPod, Traffic } from './traffic.ts';
import { webDeployment, webService } from './web-service.ts';

const NAMESPACE = 'default';
const WEB_ADDRESS = '10.96.200.1';
const CLIENT_NODE = 'worker-1';
const CONTROL_PLANE = ['nats-server', 'apiserver', 'scheduler', 'controller-manager'] as const;

const home = new ClusterHome();
let cluster: ChaosCluster;
let byAddress: Traffic;
let byName: Traffic;

beforeAll(async () => {
  cluster = await home.up('chaos', '--nodes', '3');
  await cluster.api.create<Service>(SERVICES, webService('web', WEB_ADDRESS));
  await cluster.api.create<Deployment>(DEPLOYMENTS, webDeployment(2, CLIENT_NODE));
  const urls = { address: `http://${WEB_ADDRESS}/hostname`, name: 'http://web/hostname' };
  await cluster.api.create<Pod>(PODS, askingPod('asker', CLIENT_NODE, urls));
  byAddress = new Traffic(cluster, CLIENT_NODE, 'asker', 'address');
  byName = new Traffic(cluster, CLIENT_NODE, 'asker', 'name');
  await cluster.healed();
  await Promise.all([byAddress.flows(5), byName.flows(5)]);
});
afterEach(async () => {
  await cluster.healed();
  await byAddress.flows(3);
  await byName.flows(3);
});
afterAll(async () => {
  await home.remove();
});

function sleepingPod(name: string): Pod {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'sleeper', image: 'busybox:1.36', command: ['sleep', '1000000'] }],
    },
  };
}

function note(name: string, text: string): ConfigMap {
  return { metadata: { name, namespace: NAMESPACE }, data: { text } };
}

async function textOf(name: string): Promise<string | undefined> {
  return (await cluster.api.get<ConfigMap>(CONFIGMAPS, name, NAMESPACE)).data?.text;
}

/** Waits until each node has renewed its Lease so many times: long enough for a control plane that does its work. */
async function renewals(count: number): Promise<void> {
  const times = new Map<string, Set<string>>();
  const allRenewed = async (): Promise<boolean> => {
    for (const { metadata, spec } of (await cluster.api.list<Lease>(LEASES, { namespace: 'kube-node-lease' })).items) {
      const name = metadata?.name ?? '';
      times.set(name, (times.get(name) ?? new Set()).add(String(spec?.renewTime)));
    }
    return times.size > 0 && [...times.values()].every(({ size }) => size > count);
  };
  await waitFor(`${count} renewals of every node's Lease`, allRenewed);
}

async function webPods(): Promise<Pod[]> {
  return (await cluster.api.list<Pod>(PODS, { namespace: NAMESPACE, labelSelector: 'app=web' })).items;
}

async function uidsOfPods(): Promise<string[]> {
  return (await cluster.api.list<Pod>(PODS)).items.map(({ metadata }) => metadata?.uid ?? '').sort();
}

async function scaleWeb(replicas: number): Promise<void> {
  await cluster.api.patch(DEPLOYMENTS, 'web', NAMESPACE, { type: 'merge', body: { spec: { replicas } } });
}

describe('the control plane', () => {
  it('packets flow without NATS, also by name, and what was stored is there when it is back', async () => {
    await cluster.api.create(CONFIGMAPS, note('before-nats', 'kept'));
    const pods = await uidsOfPods();
    const pid = await cluster.whileAway('nats-server', undefined, async () => {
      expect(await byAddress.next(20)).not.toContain('failed');
      expect(await byName.next(10)).not.toContain('failed');
      const status = await cluster.podwire('status');
      expect(status.code).toBe(0);
      expect(status.stdout).toContain('nats-server');
    });
    await cluster.successorOf(pid, 'nats-server');
    expect(await textOf('before-nats')).toBe('kept');
    await cluster.api.create(CONFIGMAPS, note('after-nats', 'taken'));
    expect(await textOf('after-nats')).toBe('taken');
    await cluster.healed();
    expect(await uidsOfPods()).toEqual(pods);
  });

  it('no pod is moved because the control plane was away for longer than a node may be silent', async () => {
    const pods = await uidsOfPods();
    const pid = await cluster.whileAway('nats-server', undefined, async () => {
      expect(await byAddress.next(150)).not.toContain('failed');
    });
    await cluster.successorOf(pid, 'nats-server');
    await cluster.healed();
    await renewals(8);
    await cluster.healed();
    expect(await uidsOfPods()).toEqual(pods);
  });

  it('packets flow without the apiserver', async () => {
    await cluster.api.create(CONFIGMAPS, note('before-apiserver', 'kept'));
    const pid = await cluster.whileAway('apiserver', undefined, async () => {
      expect(await byAddress.next(20)).not.toContain('failed');
      expect(await byName.next(10)).not.toContain('failed');
    });
    await cluster.successorOf(pid, 'apiserver');
    expect(await textOf('before-apiserver')).toBe('kept');
  });

  it('without the scheduler pods stay Pending', async () => {
    const pid = await cluster.whileAway('scheduler', undefined, async () => {
      await cluster.api.create<Pod>(PODS, sleepingPod('unscheduled'));
      await renewals(2);
      const pod = await cluster.api.get<Pod>(PODS, 'unscheduled', NAMESPACE);
      expect([pod.status?.phase, pod.spec?.nodeName]).toEqual(['Pending', undefined]);
      expect(await byName.next(5)).not.toContain('failed');
    });
    await cluster.successorOf(pid, 'scheduler');
    await cluster.healed();
    expect((await cluster.api.get<Pod>(PODS, 'unscheduled', NAMESPACE)).spec?.nodeName).toBeDefined();
    await cluster.api.delete(PODS, 'unscheduled', NAMESPACE);
  });

  it('without the controller-manager nothing is scaled, and it catches up', async () => {
    const pid = await cluster.whileAway('controller-manager', undefined, async () => {
      await scaleWeb(4);
      await renewals(2);
      expect(await webPods()).toHaveLength(2);
      expect(await byName.next(5)).not.toContain('failed');
    });
    await cluster.successorOf(pid, 'controller-manager');
    await waitFor('four replicas', async () => (await webPods()).length === 4);
    await cluster.healed();
    await scaleWeb(2);
    await waitFor('two replicas', async () => (await webPods()).length === 2);
  });

  it('every write that was acknowledged is there after NATS and the apiserver were killed amid them', async () => {
    const acknowledged = new Map<string, string>();
    let done = false;
    const write = async (writer: number): Promise<void> => {
      for (let count = 0; !done; count++) {
        const name = `storm-${writer}-${count}`;
        try {
          await cluster.api.create(CONFIGMAPS, note(name, `text ${count}`));
          acknowledged.set(name, `text ${count}`);
        } catch (error) {
          // Not acknowledged: it may be there or not.
          expect(error).toBeInstanceOf(Error);
        }
      }
    };
    const writers = [0, 1, 2, 3].map(write);
    for (const victim of ['nats-server', 'apiserver', 'nats-server', 'apiserver']) {
      const before = acknowledged.size;
      await waitFor('some writes', () => acknowledged.size > before + 20);
      await cluster.successorOf(await cluster.kill(victim), victim);
    }
    const before = acknowledged.size;
    await waitFor('writes after the last kill', () => acknowledged.size > before + 20);
    done = true;
    await Promise.all(writers);
    const { items } = await cluster.api.list<ConfigMap>(CONFIGMAPS, { namespace: NAMESPACE });
    const stored = new Map(items.map(({ metadata, data }) => [metadata?.name ?? '', data?.text]));
    const lost = [...acknowledged].filter(([name, text]) => stored.get(name) !== text);
    expect(lost).toEqual([]);
    for (const name of stored.keys()) if (name.startsWith('storm-')) await removeNote(name);
  });

  it('heals when all of it is killed at once', async () => {
    const pods = await uidsOfPods();
    const pids = await Promise.all(CONTROL_PLANE.map((name) => cluster.kill(name)));
    expect(await byAddress.next(10)).not.toContain('failed');
    await Promise.all(CONTROL_PLANE.map((name, index) => cluster.successorOf(pids[index] ?? 0, name)));
    await cluster.healed();
    expect(await uidsOfPods()).toEqual(pods);
  });
});

async function removeNote(name: string): Promise<void> {
  await cluster.api.delete(CONFIGMAPS, name, NAMESPACE);
}

async function proxyOf(wanted: string): Promise<ProcessRow> {
  return waitFor('kube-proxy', async () =>
    (await cluster.podProcesses()).find(({ name, node }) => name === 'kube-proxy' && node === wanted),
  );
}

describe('what runs in pods', () => {
  it('without kube-proxy the rules stay and go stale; its successor brings them up to date', async () => {
    const late = new Traffic(cluster, CLIENT_NODE, 'late', 'address');
    const { restarts } = await proxyOf(CLIENT_NODE);
    const pid = await cluster.whileAway('kube-proxy', CLIENT_NODE, async () => {
      await cluster.api.create<Service>(SERVICES, webService('late', '10.96.200.2'));
      await cluster.api.create<Pod>(PODS, askingPod('late', CLIENT_NODE, { address: 'http://10.96.200.2/hostname' }));
      expect(await byAddress.next(20)).not.toContain('failed');
      expect(await byName.next(10)).not.toContain('failed');
      expect(new Set(await late.next(1))).toEqual(new Set(['failed']));
    });
    const successor = await cluster.successorOf(pid, 'kube-proxy', CLIENT_NODE);
    expect(successor.restarts).toBe(restarts + 1);
    await late.flows(5);
    await cluster.api.delete(PODS, 'late', NAMESPACE);
    await cluster.api.delete(SERVICES, 'late', NAMESPACE);
  });

  it('names resolve with one CoreDNS of two, and the kubelet starts the other again', async () => {
    const [victim] = (await cluster.podProcesses()).filter(({ name }) => name === 'coredns');
    if (victim?.node === undefined) throw new Error('no CoreDNS runs');
    const { node } = victim;
    const pid = await cluster.whileAway('coredns', node, async () => {
      await byName.flows(20);
      expect(await byAddress.next(10)).not.toContain('failed');
    });
    expect((await cluster.successorOf(pid, 'coredns', node)).restarts).toBe(victim.restarts + 1);
  });
});

describe('a node', () => {
  it('takes its processes with it, is NotReady, its pods move, and it comes back', async () => {
    await cluster.api.create(CONFIGMAPS, note('before-node', 'kept'));
    const victim = (await webPods())[0]?.spec?.nodeName ?? '';
    const lost = (await cluster.podProcesses()).filter(({ node }) => node === victim).map(({ pid }) => pid ?? 0);
    expect(lost.length).toBeGreaterThan(0);
    await cluster.kill(victim);
    await waitFor('what ran on the node to be gone', () => !lost.some(isAlive));
    await waitFor('the node to be NotReady', async () => (await readiness(victim)) === 'Unknown');
    await waitFor('two ready pods elsewhere', async () => {
      const ready = (await webPods()).filter(
        ({ spec, status }) =>
          spec?.nodeName !== victim &&
          status?.conditions?.some(({ type, status: s }) => type === 'Ready' && s === 'True'),
      );
      return ready.length === 2;
    });
    await byAddress.flows(10);
    await byName.flows(10);
    expect((await cluster.podwire('node', 'start', victim)).code).toBe(0);
    await waitFor('the node to be Ready', async () => (await readiness(victim)) === 'True');
    await cluster.healed();
    expect(await textOf('before-node')).toBe('kept');
  });
});

async function readiness(node: string): Promise<string | undefined> {
  const { status } = await cluster.api.get<Node>(NODES, node);
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
}
