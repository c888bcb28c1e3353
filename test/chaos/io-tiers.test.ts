/** The same on the sockets that are not the default ones here: what stops and what goes on when processes are killed, in short. */
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { Pod, Service } from 'kubernetes-types/core/v1.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEPLOYMENTS, PODS, SERVICES } from '../../shared/api/resources.ts';
import { type ChaosCluster, ClusterHome } from './chaos-cluster.ts';
import { askingPod, Traffic } from './traffic.ts';
import { webDeployment, webService } from './web-service.ts';

const WEB_ADDRESS = '10.96.200.1';
const CLIENT_NODE = 'worker-1';
const SERVER_NODE = 'worker-2';

const home = new ClusterHome();
afterAll(() => home.remove());

// `gso` is for Linux.
describe.each(process.platform === 'linux' ? ['dgram', 'gso'] : ['dgram'])('on tier %s', (tier) => {
  let cluster: ChaosCluster;
  let requests: Traffic;

  beforeAll(async () => {
    cluster = await home.up(`tier-${tier}`, '--nodes', '2', '--io-tier', tier);
    await cluster.api.create<Service>(SERVICES, webService('web', WEB_ADDRESS));
    await cluster.api.create<Deployment>(DEPLOYMENTS, webDeployment(1, CLIENT_NODE));
    const asker = askingPod('asker', CLIENT_NODE, { address: `http://${WEB_ADDRESS}/hostname` });
    await cluster.api.create<Pod>(PODS, asker);
    requests = new Traffic(cluster, CLIENT_NODE, 'asker', 'address');
    await cluster.healed();
    await requests.flows(5);
  });
  afterAll(() => cluster.down());

  it('both nodes use it', async () => {
    for (const node of [CLIENT_NODE, SERVER_NODE]) {
      const { stdout } = await cluster.podwire('node', 'io', node);
      expect(stdout).toContain(tier);
    }
  });

  it('packets flow without NATS and without the apiserver', async () => {
    let apiserver = 0;
    const nats = await cluster.whileAway('nats-server', undefined, async () => {
      apiserver = await cluster.whileAway('apiserver', undefined, async () => {
        expect(await requests.next(20)).not.toContain('failed');
      });
    });
    await cluster.successorOf(nats, 'nats-server');
    await cluster.successorOf(apiserver, 'apiserver');
    await cluster.healed();
  });

  it('a node that was killed comes back, and packets reach it again', async () => {
    await cluster.kill(SERVER_NODE);
    expect((await cluster.podwire('node', 'start', SERVER_NODE)).code).toBe(0);
    await cluster.healed();
    await requests.flows(10);
  });
});
