/** The end of a cluster, wanted or not: no process and no port is left behind, and the next start continues where it was. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClusterFolder } from '../../cli/cluster-folder.ts';
import { askSupervisor } from '../../cli/supervisor/control-client.ts';
import { CONFIGMAPS } from '../../shared/api/resources.ts';
import { ownPorts } from '../e2e/own-ports.ts';
import { waitFor } from '../wait-for.ts';
import { type ChaosCluster, ClusterHome, isAlive, PODWIRE } from './chaos-cluster.ts';

let home: ClusterHome;
beforeAll(() => {
  home = new ClusterHome();
});
afterAll(async () => {
  await home.remove();
});

function writeNote(cluster: ChaosCluster, text: string): Promise<ConfigMap> {
  return cluster.api.create<ConfigMap>(CONFIGMAPS, { metadata: { name: text, namespace: 'default' }, data: { text } });
}

describe('nothing is left behind', { timeout: 300_000 }, () => {
  it('when the supervisor is killed, even while NATS hangs', async () => {
    const cluster = await home.up('one', '--nodes', '2', ...(await ownPorts()));
    await cluster.healed();
    await writeNote(cluster, 'kept');
    await cluster.podProcesses();
    await cluster.disconnect();
    process.kill(await cluster.pidOf('nats-server'), 'SIGSTOP');
    await cluster.kill('supervisor');
    expect(await cluster.leftovers()).toEqual([]);
    expect((await cluster.podwire('status')).stderr).toContain("no cluster 'one' is running");

    const again = await home.up('one');
    await again.healed();
    expect((await again.api.get<ConfigMap>(CONFIGMAPS, 'kept', 'default')).data?.text).toBe('kept');
    await again.down();
    expect(await again.leftovers()).toEqual([]);
  });

  it('when the supervisor is killed amid the start', async () => {
    const child = spawn(process.execPath, [PODWIRE, 'up', '--name', 'two', '--nodes', '2'], {
      env: { ...process.env, PODWIRE_HOME: home.path },
      stdio: 'ignore',
    });
    const exited = once(child, 'exit');
    const pids = await waitFor('the first processes', async () => {
      const status = await askSupervisor(new ClusterFolder('two'), { command: 'status' });
      const started = status?.processes.flatMap(({ pid }) => pid ?? []) ?? [];
      return started.length > 0 ? started : undefined;
    });
    child.kill('SIGKILL');
    await exited;
    await waitFor('all processes to be gone', () => !pids.some(isAlive));
    const cluster = await home.up('two', '--nodes', '2', ...(await ownPorts()));
    await cluster.healed();
    await cluster.down();
    expect(await cluster.leftovers()).toEqual([]);
  });

  it('by podwire down while some processes hang and others are being restarted', async () => {
    const cluster = await home.up('three', '--nodes', '2', ...(await ownPorts()));
    await cluster.healed();
    await cluster.podProcesses();
    process.kill(await cluster.pidOf('scheduler'), 'SIGSTOP');
    process.kill(await cluster.pidOf('worker-2'), 'SIGSTOP');
    await cluster.kill('controller-manager');
    await cluster.kill('apiserver');
    await cluster.down();
    expect(await cluster.leftovers()).toEqual([]);
  });
});
