/** calico's plugin on a few nodes in virtual time: BGP brings the routes, and takes them away when a node falls silent. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Calico } from '../../node-agent/cni/calico/calico.ts';
import { heldAddresses } from '../../node-agent/cni/calico/ipam/block.ts';
import { CalicoIpam } from '../../node-agent/cni/calico/ipam/calico-ipam.ts';
import type { IpPool, IpPoolObject } from '../../node-agent/cni/calico/ipam/ip-pool.ts';
import { MemoryCalicoStore } from '../../node-agent/cni/calico/memory-datastore.testkit.ts';
import type { Encapsulation } from '../../node-agent/datapath/network/routed-network.ts';
import { nodeNamespace } from '../../node-agent/datapath/show/namespace.ts';
import { setLinkUp } from '../../shared/netstack/link-state.ts';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { formatIpv4, networkOf, parseIpv4 } from '../../shared/wire/address.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../shared/wire/pcap.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { HOLD_SECONDS, PluginCluster, SECOND_US } from './plugin-cluster.testkit.ts';

const NODES = 3;

async function calico(encapsulation: Encapsulation, pool: IpPoolObject['spec'] = { cidr: '10.244.0.0/16' }) {
  const store = new MemoryCalicoStore({
    ipipMode: encapsulation === 'ipip' ? 'Always' : 'Never',
    vxlanMode: encapsulation === 'vxlan' ? 'Always' : 'Never',
    natOutgoing: true,
    ...pool,
  });
  const cluster = new PluginCluster((context) => new Calico(context, encapsulation, store.node()));
  await cluster.settled();
  return Object.assign(cluster, { store });
}

describe('calico with IP-in-IP', () => {
  let world: Awaited<ReturnType<typeof calico>>;
  beforeEach(async () => {
    world = await calico('ipip');
  });

  it('every node has the blocks of the others by BGP, and its own as a blackhole', () => {
    const routes = world.routes(1);
    expect(routes).toContain('blackhole 10.244.1.0/26 proto bird');
    expect(routes).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0 proto bird onlink');
    expect(routes).toContain('10.244.3.0/26 via 192.168.1.12 dev tunl0 proto bird onlink');
  });

  it('pods reach each other, and see each other as they are', async () => {
    const [client, server] = [await world.startPod(1, 'client'), await world.startPod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    const { answer, serverSaw } = world.cluster.ask(client.host, '10.244.2.1', 80);
    expect(answer).toContain('server heard');
    expect(serverSaw).toMatch(/^10\.244\.1\.1:/);
  });

  it('a pod comes to its address past the route that an administrator made there', async () => {
    const { root } = world.cluster.node(1);
    const destination = parseIpv4('10.244.1.1')!;
    root.routes.add({ destination, prefixLength: 32, device: root.loopback, scope: 'link' });
    await world.startPod(1, 'client');
    expect(world.routes(1)).toMatch(/^10\.244\.1\.1 dev cali\w{11} scope link/m);
    expect(world.routes(1)).not.toContain('dev lo');
  });

  it('a second block is announced when the first address in it is given out, and withdrawn with the last', async () => {
    const pods = [];
    for (let i = 0; i < 64; i++) pods.push(await world.startPod(2, `pod-${i}`));
    await world.settled();
    expect(world.routes(1)).toContain('10.244.2.64/26 via 192.168.1.11 dev tunl0 proto bird onlink');
    for (const pod of pods) pod.detach();
    await world.settled();
    expect(world.routes(1)).not.toContain('10.244.2.64/26');
    expect(world.routes(2)).toContain('blackhole 10.244.2.0/26');
  });

  it('birdc shows the sessions and the routes', () => {
    const protocols = world.run(1, 'birdc', 'show', 'protocols');
    expect(protocols).toMatch(/Mesh_192_168_1_11 +BGP +master +up +00:00:0\d +Established/);
    expect(protocols.match(/Established/g)).toHaveLength(NODES - 1);
    expect(protocols).toMatch(/^static1 +Static +master +up +00:00:0\d$/m);
    const routes = world.run(1, 'birdc', 'show', 'route');
    expect(routes).toMatch(
      /^10\.244\.3\.0\/26 {6}via 192\.168\.1\.12 on eth0 \[Mesh_192_168_1_12 00:00:\d\d\] \* \(100\/0\) \[i\]$/m,
    );
    expect(routes).toMatch(/^0\.0\.0\.0\/0 {10}via 192\.168\.1\.1 on eth0 \[kernel1 00:00:\d\d\] \* \(10\)$/m);
    expect(routes).toMatch(/^192\.168\.1\.0\/24 {5}dev eth0 \[direct1 00:00:\d\d\] \* \(240\)$/m);
    expect(routes).toMatch(/^10\.244\.1\.0\/26 {6}blackhole \[static1 00:00:\d\d\] \* \(200\)$/m);
  });

  it('birdc shows one session, and one route, in full', () => {
    const peer = world.run(1, 'birdc', 'show', 'protocols', 'all', 'Mesh_192_168_1_11');
    expect(peer).toMatch(/Routes: +1 imported, 1 exported\n/);
    expect(peer).toMatch(/Neighbor AS: +64512\n +Neighbor ID: +192\.168\.1\.11\n +Session: +internal multihop AS4\n/);
    expect(peer).not.toContain('192.168.1.12');
    const route = (...words: string[]) =>
      world
        .run(1, 'birdc', 'show', 'route', ...words)
        .split('\n')
        .slice(1, -1);
    expect(route('for', '10.244.2.9')).toEqual([expect.stringMatching(/^10\.244\.2\.0\/26 /)]);
    expect(route('10.244.3.0/26', 'all')).toContain('\tBGP.local_pref: 100');
    expect(route('protocol', 'Mesh_192_168_1_12')).toHaveLength(1);
    expect(route('10.99.0.0/16')).toEqual(['Network not in table']);
    expect(world.run(1, 'birdc', 'show', 'protocols', 'nobody')).toContain('syntax error');
  });

  it('a silent node keeps its routes for the hold time, then they are gone, and come back with it', () => {
    const { cluster } = world;
    const { eth0 } = cluster.node(2);
    eth0.up = false; // nothing leaves it, and nothing that arrives is taken
    cluster.advance((HOLD_SECONDS - 2) * SECOND_US);
    expect(world.routes(1)).toContain('10.244.2.0/26');
    cluster.advance(3 * SECOND_US);
    expect(world.routes(1)).not.toContain('10.244.2.0/26');
    expect(world.routes(3)).not.toContain('10.244.2.0/26');
    expect(world.routes(1)).toContain('10.244.3.0/26');
    expect(world.run(1, 'birdc', 'show', 'protocols')).toMatch(/Mesh_192_168_1_11 .*start.*Hold timer expired/);
    eth0.up = true;
    cluster.advance(20 * SECOND_US);
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0');
  });

  it('a node that leaves the cluster takes its session and routes along', () => {
    world.plugins[0]!.removePeer('worker-2');
    expect(world.routes(1)).not.toContain('10.244.2.0/26');
    expect(world.run(1, 'birdc', 'show', 'protocols')).not.toContain('192_168_1_11');
  });

  it('what an administrator takes of the routes is back: at the next scan of BIRD, or refresh of Felix', async () => {
    await world.startPod(1, 'here');
    const { root } = world.cluster.node(1);
    const ofDaemons = () => root.routes.list().filter(({ destination }) => destination >>> 16 === 0x0af4);
    const before = world.routes(1);
    for (const route of ofDaemons()) root.routes.remove(route);
    world.cluster.advance(2 * SECOND_US);
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0 proto bird onlink');
    expect(world.routes(1)).toContain('blackhole 10.244.1.0/26 proto bird');
    expect(world.routes(1)).not.toContain('dev cali');
    world.cluster.advance(90 * SECOND_US);
    expect(world.routes(1)).toBe(before);
  });

  it('a pod that was cut off by `ip link set down` has its route again with its link', async () => {
    await world.startPod(1, 'here');
    const { root } = world.cluster.node(1);
    const before = world.routes(1);
    const device = [...root.interfaces.keys()].find(({ name }) => name.startsWith('cali'))!;
    setLinkUp(root, device, false);
    expect(world.routes(1)).not.toContain(device.name);
    setLinkUp(root, device, true);
    expect(world.routes(1)).toBe(before);
  });

  it('tunl0 is shown as an IP-in-IP device', () => {
    expect(nodeNamespace(world.cluster.node(1)).devices.map(({ name }) => name)).toContain('tunl0');
  });
});

describe('calico without encapsulation', () => {
  it('routes go to the nodes themselves', async () => {
    const world = await calico('none');
    expect(world.routes(1)).not.toContain('10.244.2.0/26');
    await world.startPod(2, 'first');
    await world.settled();
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev eth0 proto bird');
  });
});

describe.each(['ipip', 'vxlan'] as const)('calico with %s, when no block is free', (encapsulation) => {
  it('a borrowed address has a route of its own, and its pod is reached from everywhere', async () => {
    const world = await calico(encapsulation, { cidr: '10.244.0.0/28', blockSize: 30 });
    for (let i = 0; i < 7; i++) await world.startPod(1, `full-${i}`);
    const guest = await world.startPod(1, 'guest');
    await world.settled();
    const address = formatIpv4(guest.address);
    const owner = [2, 3].find((node) => world.routes(node).includes(`blackhole ${blockOf(guest.address)}/30`));
    expect(owner).toBeDefined();
    const clients = [await world.startPod(2, 'client-2'), await world.startPod(3, 'client-3')];
    world.cluster.udpServer(guest.host, 80, 'guest');
    for (const [i, client] of clients.entries()) {
      expect(world.routes(i + 2)).toContain(
        encapsulation === 'ipip' ? `${address} via 192.168.1.10 dev tunl0` : `${address} via`,
      );
      expect(world.cluster.ask(client.host, address, 80).answer).toContain('guest heard');
    }
    expect(world.run(3, 'calicoctl', 'ipam', 'show', '--show-borrowed')).toContain(`| ${address} | worker-1 `);
    guest.detach();
    await world.settled();
    for (const node of [2, 3]) expect(world.routes(node)).not.toContain(`${address} via`);
  });
});

describe('what is freed while the API is away', () => {
  const handles = ({ store }: Awaited<ReturnType<typeof calico>>) =>
    [...store.blocks.values()].flatMap(heldAddresses).map(({ holder }) => holder.handle_id);
  const away = async () => {
    throw new Error('no API server answers');
  };

  it('is not what pods hold that came since', async () => {
    const world = await calico('none');
    const view = world.store.node();
    const before = new CalicoIpam({ node: 'worker-2', store: view, preferred: () => null, avoided: () => [] });
    const secondary = { node: 'worker-2', timestamp: 'before' };
    await before.assign({ holder: { handle_id: 'k8s-pod-network.dead', secondary } });
    const { network } = world.store;
    world.store.network = away;
    world.plugins[1]!.retainOnly(new Set());
    await world.settled();
    world.store.network = network;
    await world.startPod(2, 'new');
    await world.settled();
    expect(handles(world)).toEqual(['k8s-pod-network.new']);
  });

  it('is what a node holds that left while no other one ran, once all nodes are known', async () => {
    const world = await calico('none');
    await world.startPod(2, 'pod');
    const store = world.store.node();
    const gone = new CalicoIpam({ node: 'worker-9', store, preferred: () => null, avoided: () => [] });
    const secondary = { node: 'worker-9', timestamp: 'before' };
    await gone.assign({ holder: { handle_id: 'k8s-pod-network.gone', secondary } });
    world.cluster.advance(10 * SECOND_US);
    await world.settled();
    expect(handles(world)).toContain('k8s-pod-network.gone');
    const known = async () => {
      for (const plugin of world.plugins) plugin.nodesKnown();
      await world.settled();
      world.cluster.advance(5 * SECOND_US);
      await world.settled();
    };
    world.store.nodes.add('worker-9'); // it is new, and the others hear of it late
    await known();
    expect(handles(world)).toHaveLength(2);
    world.store.nodes.delete('worker-9');
    await known();
    expect(handles(world)).toEqual(['k8s-pod-network.pod']);
    expect([...store.blocks.values()].map(({ spec }) => spec.affinity)).not.toContain('host:worker-9');
  });

  it('is not what a node holds that left and is back', async () => {
    const world = await calico('none');
    await world.startPod(2, 'pod');
    const { network } = world.store;
    world.store.network = away;
    for (const node of [0, 2]) world.plugins[node]!.removePeer('worker-2');
    await new Promise(setImmediate);
    world.store.network = network;
    for (const node of [0, 2]) world.introduce(world.plugins[node]!, 1);
    await world.settled();
    expect(handles(world)).toEqual(['k8s-pod-network.pod']);
    world.cluster.advance(20 * SECOND_US);
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11');
  });
});

describe('pools that change', () => {
  const change = async (world: Awaited<ReturnType<typeof calico>>, more: Partial<IpPool>) => {
    world.store.pools = world.store.pools.map((pool) => ({ ...pool, ...more }));
    world.store.changed();
    await world.settled();
  };

  it('ipipMode: routes go through tunl0, or not', async () => {
    const world = await calico('ipip');
    await change(world, { ipipMode: 'Never' });
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev eth0 proto bird');
    await change(world, { ipipMode: 'CrossSubnet' });
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev eth0 proto bird');
    await change(world, { ipipMode: 'Always' });
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0 proto bird onlink');
  });

  it('ipipMode where there was no tunnel: it is made, and pods go on', async () => {
    const world = await calico('none');
    const [client, server] = [await world.startPod(1, 'client'), await world.startPod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    await change(world, { ipipMode: 'Always' });
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0 proto bird onlink');
    expect(world.cluster.ask(client.host, formatIpv4(server.address), 80).answer).toContain('server heard');
  });

  it('vxlanMode: neighbours are reached without the tunnel', async () => {
    const world = await calico('vxlan');
    await world.settled();
    expect(world.routes(1)).toContain('10.244.2.0/26 via 10.244.2.0 dev vxlan.calico onlink');
    await change(world, { vxlanMode: 'CrossSubnet' });
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev eth0');
  });

  it('natOutgoing: pods are masqueraded outside the pools, or not', async () => {
    const world = await calico('ipip');
    const rules = () => iptablesSave(world.cluster.node(1).rules.ipv4.ruleset, { table: 'nat' });
    expect(rules()).toContain('-A cali-nat-outgoing -s 10.244.0.0/16 -j MASQUERADE');
    await change(world, { natOutgoing: false });
    expect(rules()).not.toContain('MASQUERADE');
  });
});

async function withoutMesh() {
  const world = await calico('ipip');
  world.store.bgpConfiguration = { nodeToNodeMeshEnabled: false };
  world.store.changed();
  await world.settled();
  return world;
}

/** The third node becomes one, and all peer with it. */
async function reflectRoutes(world: Awaited<ReturnType<typeof calico>>): Promise<void> {
  const annotations = { 'projectcalico.org/RouteReflectorClusterID': '244.0.0.1' };
  world.describe(3, { labels: { reflector: 'yes' }, annotations });
  world.store.bgpPeers = [{ name: 'reflectors', nodeSelector: 'all()', peerSelector: 'has(reflector)' }];
  world.store.changed();
  await world.settled();
  await world.settled();
}

describe('BGP without the mesh', () => {
  it('takes the routes away', async () => {
    const world = await withoutMesh();
    expect(world.routes(1)).not.toContain('10.244.2.0/26');
    expect(world.run(1, 'calicoctl', 'node', 'status')).toContain('No IPv4 peers found.');
  });

  it('a route reflector brings them back, and its end takes them', async () => {
    const world = await withoutMesh();
    const [client, server] = [await world.startPod(1, 'client'), await world.startPod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    await reflectRoutes(world);
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0 proto bird onlink');
    expect(world.run(1, 'birdc', 'show', 'protocols')).toMatch(/Node_192_168_1_12 +BGP +master +up .*Established/);
    const route = world.run(1, 'birdc', 'show', 'route', 'all', 'for', '10.244.2.1');
    expect(route).toMatch(
      /via 192\.168\.1\.11 on eth0 \[Node_192_168_1_12 00:00:\d\d from 192\.168\.1\.12\] \* \(100\/0\) \[i\]/,
    );
    expect(route).toContain('\tBGP.originator_id: 192.168.1.11\n\tBGP.cluster_list: 244.0.0.1\n');
    expect(world.run(3, 'calicoctl', 'node', 'status')).toMatch(/\| 192\.168\.1\.10 +\| node specific \| up/);
    expect(world.cluster.ask(client.host, formatIpv4(server.address), 80).answer).toContain('server heard');
    world.cluster.node(3).eth0.up = false;
    world.cluster.advance((HOLD_SECONDS + 1) * SECOND_US);
    expect(world.routes(1)).not.toContain('10.244.2.0/26');
  });

  it('another AS number for all begins the sessions anew', async () => {
    const world = await calico('ipip');
    world.store.bgpConfiguration = { asNumber: 65_001 };
    world.store.changed();
    await world.settled();
    await world.settled();
    expect(world.plugins[0]!.speaker?.as).toBe(65_001);
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11');
  });
});

const blockOf = (address: number): string => formatIpv4(networkOf(address, 30));

const tsharkMissing = spawnSync('tshark', ['--version']).error !== undefined;

describe('a BGP session on the wire', () => {
  if (tsharkMissing) console.log('skipped: no tshark on this machine');
  it.skipIf(tsharkMissing)('is what tshark decodes', async () => {
    const world = await withoutMesh();
    await reflectRoutes(world);
    const { cluster } = world;
    // Frames of the nodes' plain network, as their eth0 has them.
    const frames = cluster.captured.map((datagram) => datagram.subarray(vxlan.HEADER_BYTES));
    const packets = frames.map((bytes, i) => enhancedPacket({ interfaceId: 0, timestampNs: BigInt(i) * 1000n, bytes }));
    const folder = mkdtempSync(join(tmpdir(), 'pw-bgp-'));
    try {
      const file = join(folder, 'bgp.pcapng');
      writeFileSync(
        file,
        Buffer.concat([sectionHeader('podwire'), interfaceDescription({ name: 'eth0' }), ...packets]),
      );
      const fields = [
        'bgp.type',
        'bgp.open.myas',
        'bgp.nlri_prefix',
        'bgp.prefix_length',
        'bgp.update.path_attribute.next_hop',
        'bgp.update.path_attribute.originator_id',
        'bgp.path_attribute.cluster_id',
      ];
      const shown = execFileSync(
        'tshark',
        ['-r', file, '-Y', 'bgp', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
      expect(shown).toMatch(/^1(,4)?\t64512/m);
      expect(shown).toMatch(/2(,\d)*\t\t10\.244\.2\.0(,[\d.]+)*\t26.*192\.168\.1\.11/m);
      expect(shown).toMatch(/10\.244\.2\.0\t26\t192\.168\.1\.11\t192\.168\.1\.11\t244\.0\.0\.1/);
      const broken = execFileSync('tshark', ['-r', file, '-Y', '_ws.malformed or tcp.analysis.flags'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      expect(broken).toBe('');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
