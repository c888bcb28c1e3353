/** flannel's and bridge's routes, and what becomes of them when an administrator takes them away. */
import { expect, test } from 'vitest';
import { Bridge } from '../../node-agent/cni/bridge/bridge.ts';
import { Flannel } from '../../node-agent/cni/flannel/flannel.ts';
import type { CniContext, CniPlugin } from '../../node-agent/cni/plugin.ts';
import { setLinkUp } from '../../shared/netstack/link-state.ts';
import { parseIpv4 } from '../../shared/wire/address.ts';
import { PluginCluster, SECOND_US } from './plugin-cluster.testkit.ts';

const TO_WORKER_2 = { destination: parseIpv4('10.244.2.0')!, prefixLength: 24 };

function takeRoute(create: (context: CniContext) => CniPlugin) {
  const world = new PluginCluster(create);
  expect(world.routes(1)).toContain('10.244.2.0/24 via ');
  world.cluster.node(1).root.routes.remove(TO_WORKER_2);
  expect(world.routes(1)).not.toContain('10.244.2.0/24');
  return world;
}

test('host-gw: flanneld looks every 10 s and puts back what is missing', () => {
  const world = takeRoute((context) => new Flannel(context, 'host-gw'));
  world.cluster.advance(10 * SECOND_US);
  expect(world.routes(1)).toContain('10.244.2.0/24 via 192.168.1.11 dev eth0');
});

test('host-gw: eth0 that was down comes back without its routes, which flanneld adds once their gateways are neighbours', () => {
  const world = new PluginCluster((context) => new Flannel(context, 'host-gw'));
  const { root, eth0 } = world.cluster.node(1);
  setLinkUp(root, eth0, false);
  world.cluster.advance(25 * SECOND_US);
  expect(world.routes(1)).not.toContain('10.244.2.0/24');
  setLinkUp(root, eth0, true);
  world.cluster.advance(10 * SECOND_US);
  expect(world.routes(1)).toContain('10.244.2.0/24 via 192.168.1.11 dev eth0');
});

test.each([
  ['vxlan', (context: CniContext) => new Flannel(context, 'vxlan')],
  ['bridge', (context: CniContext) => new Bridge(context)],
])('%s: nobody looks', (_, create) => {
  const world = takeRoute(create);
  world.cluster.advance(120 * SECOND_US);
  expect(world.routes(1)).not.toContain('10.244.2.0/24');
});
