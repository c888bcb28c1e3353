/** calico's plugin on a few nodes in virtual time: BGP brings the routes, and takes them away when a node falls silent. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { Calico } from '../../node-agent/cni/calico/calico.ts';
import type { Encapsulation } from '../../node-agent/datapath/network/routed-network.ts';
import { nodeNamespace } from '../../node-agent/datapath/show/namespace.ts';
import { enhancedPacket, interfaceDescription, sectionHeader } from '../../shared/wire/pcap.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { HOLD_SECONDS, PluginCluster, SECOND_US } from './plugin-cluster.testkit.ts';

const NODES = 3;

const calico = (encapsulation: Encapsulation) => new PluginCluster((context) => new Calico(context, encapsulation));

describe('calico with IP-in-IP', () => {
  let world: ReturnType<typeof calico>;
  beforeEach(() => {
    world = calico('ipip');
  });

  it('every node has the blocks of the others by BGP, and its own as a blackhole', () => {
    const routes = world.routes(1);
    expect(routes).toContain('blackhole 10.244.1.0/26 proto bird');
    expect(routes).toContain('10.244.2.0/26 via 192.168.1.11 dev tunl0 proto bird onlink');
    expect(routes).toContain('10.244.3.0/26 via 192.168.1.12 dev tunl0 proto bird onlink');
  });

  it('pods reach each other, and see each other as they are', () => {
    const [client, server] = [world.pod(1, 'client'), world.pod(2, 'server')];
    world.cluster.udpServer(server.host, 80, 'server');
    const { answer, serverSaw } = world.cluster.ask(client.host, '10.244.2.3', 80);
    expect(answer).toContain('server heard');
    expect(serverSaw).toMatch(/^10\.244\.1\.3:/);
  });

  it('a second block is announced when the first address in it is given out', () => {
    for (let i = 0; i < 62; i++) world.pod(2, `pod-${i}`);
    world.cluster.settle();
    expect(world.routes(1)).toContain('10.244.2.64/26 via 192.168.1.11 dev tunl0 proto bird onlink');
  });

  it('birdc shows the sessions and the routes', () => {
    const protocols = world.run(1, 'birdc', 'show', 'protocols');
    expect(protocols).toMatch(/Mesh_192_168_1_11 +BGP +master +up +00:00:0\d +Established/);
    expect(protocols.match(/Established/g)).toHaveLength(NODES - 1);
    expect(world.run(1, 'birdc', 'show', 'route')).toContain(
      '10.244.3.0/26      via 192.168.1.12 on eth0 [Mesh_192_168_1_12]',
    );
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

  it('tunl0 is shown as an IP-in-IP device', () => {
    expect(nodeNamespace(world.cluster.node(1)).devices.map(({ name }) => name)).toContain('tunl0');
  });
});

describe('calico without encapsulation', () => {
  it('routes go to the nodes themselves', () => {
    const world = calico('none');
    expect(world.routes(1)).not.toContain('10.244.2.0/26');
    world.pod(2, 'first');
    world.cluster.settle();
    expect(world.routes(1)).toContain('10.244.2.0/26 via 192.168.1.11 dev eth0 proto bird');
  });
});

const tsharkMissing = spawnSync('tshark', ['--version']).error !== undefined;

describe('a BGP session on the wire', () => {
  if (tsharkMissing) console.log('skipped: no tshark on this machine');
  it.skipIf(tsharkMissing)('is what tshark decodes', () => {
    const { cluster } = calico('ipip');
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
      ];
      const shown = execFileSync(
        'tshark',
        ['-r', file, '-Y', 'bgp', '-T', 'fields', ...fields.flatMap((field) => ['-e', field])],
        { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
      );
      expect(shown).toMatch(/^1(,4)?\t64512/m);
      expect(shown).toMatch(/2(,\d)*\t\t10\.244\.2\.0(,[\d.]+)*\t26.*192\.168\.1\.11/m);
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
