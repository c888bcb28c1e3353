/** How weave's packets go between nodes: encrypted or not, over the fast datapath or the sleeve, straight or by way of others. */
import { describe, expect, it } from 'vitest';
import { Weave } from '../../node-agent/cni/weave/weave.ts';
import type { WeaveChoice } from '../../node-agent/cni/weave/weave-choice.ts';
import { formatIpv4, parseIpv4Prefix } from '../../shared/wire/address.ts';
import * as esp from '../../shared/wire/esp.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';
import { HOLD_SECONDS, PluginCluster, SECOND_US } from './plugin-cluster.testkit.ts';

const PORT = 8080;
const FASTDP = ['fastdp', 'sleeve'] as const;
const SLEEVE = ['sleeve'] as const;
/** Within a captured datagram: VXLAN (8), Ethernet (14), IPv4 (20); ESP or UDP follows. */
const OUTER_BYTES = 42;

function running(choiceOf: Partial<WeaveChoice> | ((node: string) => Partial<WeaveChoice>) = {}) {
  const world = new PluginCluster((context) => {
    const choice = typeof choiceOf === 'function' ? choiceOf(context.datapath.nodeName) : choiceOf;
    return new Weave(context, { overlays: FASTDP, password: undefined, ...choice });
  });
  const { cluster } = world;
  const pods = cluster.nodes.flatMap((_, i) => {
    if (!world.isUp(i + 1)) return [];
    const attachment = world.pod(i + 1, `pod-${i + 1}`);
    cluster.udpServer(attachment.host, PORT, `pod-${i + 1}`);
    return [{ ...attachment, text: formatIpv4(attachment.address) }];
  });
  /** What the pod of one node hears from that of another. */
  const ask = (from: number, to: number, bytes = 0) => {
    const socket = pods[from - 1]!.host.udp.bind({ address: 0 });
    const { answer } = cluster.askFrom(socket, pods[to - 1]!.text, PORT, bytes);
    socket.close();
    return answer;
  };
  const connections = (node: number) => world.run(node, 'weave', 'status', 'connections');
  const report = (node: number) => JSON.parse(world.run(node, 'weave', 'report'));
  return { ...{ world, cluster, pods, ask, connections, report } };
}

type Running = ReturnType<typeof running>;

/** Datagrams between nodes whose emulated IP packet is of that protocol, and from that UDP port where one is given. */
function carried({ cluster }: Running, protocol: number, port?: number): Uint8Array[] {
  return cluster.captured.filter((bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (vxlan.vni(view, 0) !== 0 || bytes.length <= OUTER_BYTES || bytes[31] !== protocol) return false;
    return port === undefined || view.getUint16(OUTER_BYTES) === port;
  });
}

/** Once more from node 1 into node 2. */
function inject({ cluster }: Running, bytes: Uint8Array): void {
  const packet = cluster.memory.allocate(bytes.length)!;
  cluster.memory.bytes.set(bytes, packet.offset);
  cluster.links.get('127.0.1.11')!.deliver({ address: '127.0.1.10', port: 4789 }, packet);
  cluster.settle();
}

/** Nothing passes between two nodes until it is mended. */
function cut({ cluster }: Running, one: number, other: number): () => void {
  const ends = [one, other].map((node) => cluster.links.get(`127.0.1.${9 + node}`)!);
  const undo = ends.map((link, i) => {
    const peer = ends[1 - i]!.local.address;
    const { deliver } = link;
    link.deliver = (from, packet) => {
      if (from.address === peer) cluster.memory.free(packet);
      else deliver.call(link, from, packet);
    };
    return () => {
      link.deliver = deliver;
    };
  });
  return () => {
    for (const mend of undo) mend();
  };
}

const isReadable = (bytes: Uint8Array): boolean => Buffer.from(bytes).includes('question');

describe.each([
  ['fastdp', FASTDP, esp.PROTOCOL, undefined, 'fastdp', 1376],
  ['sleeve', SLEEVE, ipv4.PROTOCOL_UDP, 6783, 'sleeve', 1414],
] as const)('encrypted %s', (way, overlays, protocol, port, shown, mtuBytes) => {
  const start = () => running({ overlays, password: 'a secret of all' });

  it('carries packets of which nobody sees a word, and says so', () => {
    const { cluster, ask, connections, world } = start();
    expect(ask(1, 2)).toContain('pod-2 heard question');
    expect(cluster.captured.some(isReadable)).toBe(false);
    expect(connections(1)).toMatch(
      new RegExp(
        `^<- 192\\.168\\.1\\.11:6783 +established encrypted   ${shown} [0-9a-f:]{17}\\(worker-2\\) encrypted=truemtu=${mtuBytes}$`,
        'm',
      ),
    );
    expect(world.run(1, 'weave', 'status')).toContain('Encryption: enabled');
  });

  it('drops what was replayed and what was changed in any byte, and counts it', () => {
    const one = start();
    const { ask, cluster, report, pods } = one;
    ask(1, 2);
    const [sent] = carried(one, protocol, port).slice(-2);
    const server = pods[1]!.host;
    const before = server.counters.udpReceived;
    inject(one, sent!);
    const session = () => {
      const { fastdp, sleeve } = report(2).Router.OverlayDiagnostics;
      const all = way === 'fastdp' ? fastdp.XfrmStates : sleeve.Sessions;
      return all.find(({ NickName }: { NickName: string }) => NickName === 'worker-1');
    };
    expect(session()).toMatchObject({ Replayed: 1, NotAuthentic: 0 });
    // The next datagram of the client, which did not arrive.
    const mend = cut(one, 1, 2);
    ask(1, 2);
    mend();
    const held = carried(one, protocol, port).at(-1)!.slice();
    // UDP over IPv4 may leave its checksum out, so that a change is the cipher's to notice.
    const body = OUTER_BYTES + (protocol === ipv4.PROTOCOL_UDP ? 8 : 0);
    if (body > OUTER_BYTES) held.fill(0, OUTER_BYTES + 6, body);
    const dropped = () => report(2).Router.OverlayDiagnostics;
    const lost = () => dropped().fastdp.XfrmInDropped + dropped().sleeve.Dropped;
    const lostBefore = lost();
    for (let at = body; at < held.length; at++) {
      const changed = held.slice();
      changed[at]! ^= 0x10;
      inject(one, changed);
    }
    expect(lost() - lostBefore).toBe(held.length - body);
    expect(session().NotAuthentic).toBeGreaterThan(held.length - body - 16);
    expect(server.counters.udpReceived).toBe(before);
    inject(one, held);
    expect(server.counters.udpReceived).toBe(before + 1);
    expect(cluster.memory.inUse).toBe(0);
  });

  it('has other keys in each direction and each session', () => {
    const spis = [start(), start()].flatMap(({ report }) => {
      const { fastdp, sleeve } = report(1).Router.OverlayDiagnostics;
      return [...fastdp.XfrmStates, ...sleeve.Sessions].flatMap(({ SpiIn, SpiOut }) => [SpiIn, SpiOut]);
    });
    expect(spis).toHaveLength(16);
    expect(new Set(spis).size).toBe(16);
  });
});

describe('passwords', () => {
  it.each([
    ['another one', 'guessed', 'Unable to decrypt TCP msg'],
    ['none', undefined, 'password specified, but peer requested an unencrypted connection'],
  ])('who has %s is refused, in the words of the original', (_, password, error) => {
    const { world, connections } = running((node) => ({ password: node === 'worker-3' ? password : 'right' }));
    const line = `worker-1 ->[192.168.1.12:6783] connection shutting down due to error during handshake: ${error}`;
    expect(world.logs).toContain(line);
    expect(connections(1)).toMatch(new RegExp(`^<- 192\\.168\\.1\\.12:6783 +failed +${error}$`, 'm'));
    expect(world.run(1, 'weave', 'status')).toContain('Connections: 2 (1 established, 1 failed)');
    const theirs = connections(3);
    expect(theirs).not.toContain('established');
    if (password === undefined) expect(theirs).toContain('no password specificed, but peer requested an encrypted');
  });

  it('a frame in the clear is dropped by who has one', () => {
    const clear = running();
    clear.ask(1, 2);
    const frame = clear.cluster.captured.findLast((bytes) => isReadable(bytes))!;
    const one = running({ password: 'right' });
    inject(one, frame);
    expect(one.cluster.node(2).drops.list()).toContainEqual(
      expect.objectContaining({ where: 'vxlan-6784', code: 'weave-not-encrypted', packets: 1 }),
    );
  });
});

describe('sleeve', () => {
  it('carries frames where there is no fast datapath, many in one datagram, and finds the MTU', () => {
    const one = running({ overlays: SLEEVE });
    const { ask, connections, report, cluster, pods, world } = one;
    expect(ask(1, 2)).toContain('pod-2 heard');
    expect(carried(one, ipv4.PROTOCOL_UDP, 6783).some(isReadable)).toBe(true);
    expect(connections(1)).toMatch(/^<- 192\.168\.1\.11:6783 +established sleeve [0-9a-f:]{17}\(worker-2\) mtu=1438$/m);
    expect(world.logs).toContainEqual(
      expect.stringMatching(/^worker-1 sleeve ->\[.*\]: Effective MTU verified at 1438$/),
    );
    const before = report(1).Router.OverlayDiagnostics.sleeve;
    const socket = pods[0]!.host.udp.bind({ address: 0 });
    for (let i = 0; i < 20; i++) socket.sendTo(new Uint8Array(100), pods[1]!.address, 9);
    cluster.settle();
    const after = report(1).Router.OverlayDiagnostics.sleeve;
    expect(after.FramesSent - before.FramesSent).toBe(20);
    expect(after.DatagramsSent - before.DatagramsSent).toBeLessThanOrEqual(4);
  });

  it('carries nothing where the node has no route', () => {
    const { cluster, pods, ask } = running({ overlays: SLEEVE });
    const { routes } = cluster.node(1).root;
    expect(ask(1, 2)).toContain('pod-2 heard');
    for (const text of ['192.168.1.0/24', '0.0.0.0/0']) {
      const { address: destination, prefixLength } = parseIpv4Prefix(text)!;
      routes.remove({ destination, prefixLength });
    }
    const ping = { to: pods[1]!.text, payloadBytes: 1300, dontFragment: false };
    expect(cluster.ping(pods[0]!.host, ping).kind).not.toBe('reply');
    expect(ask(1, 2)).toBeNull();
    const dropped = cluster
      .node(1)
      .drops.list()
      .find(({ where }) => where === 'worker-1 sleeve');
    expect(dropped).toMatchObject({ code: 'no-route' });
    // The two, and the peers' words.
    expect(dropped!.packets).toBeLessThan(20);
  });

  it('finds a smaller MTU by trying', () => {
    const one = running({ overlays: SLEEVE });
    const link = one.cluster.links.get('127.0.1.11')!;
    const { deliver } = link;
    // UDP in packets over 1200 bytes gets lost in silence.
    link.deliver = (from, packet) => {
      const isUdp = one.cluster.memory.bytes[packet.offset + 31] === ipv4.PROTOCOL_UDP;
      if (isUdp && packet.length > 1200 + 22) one.cluster.memory.free(packet);
      else deliver.call(link, from, packet);
    };
    one.world.plugins[0]!.removePeer('worker-2');
    one.world.introduce(one.world.plugins[0]!, 1);
    one.cluster.advance(20 * SECOND_US);
    expect(one.connections(1)).toMatch(/\(worker-2\) mtu=1138$/m);
    expect(one.connections(1)).toMatch(/\(worker-3\) mtu=1438$/m);
    const [client, server] = one.pods;
    const ping = (bytes: number, dontFragment: boolean) =>
      one.cluster.ping(client!.host, { to: server!.text, payloadBytes: bytes - 28, dontFragment });
    expect(ping(1138, true)).toMatchObject({ kind: 'reply' });
    expect(ping(1300, false)).toMatchObject({ kind: 'reply' });
    expect(ping(1139, true)).toMatchObject({ kind: 'unreachable', mtuBytes: 1138 });
  });

  it('takes over from a fast datapath that fails, and gives back', () => {
    const one = running({ password: 'right' });
    const { ask, connections, cluster, world } = one;
    expect(connections(1)).toMatch(/fastdp .*\(worker-2\)/);
    cluster.advance(2 * HOLD_SECONDS * SECOND_US);
    const overlay = cluster.node(2).devices.find(({ name }) => name === 'vxlan-6784')!;
    overlay.up = false;
    cluster.advance((HOLD_SECONDS + 3) * SECOND_US);
    expect(connections(1)).toMatch(/established encrypted {3}sleeve .*\(worker-2\) encrypted=truemtu=1414/);
    expect(connections(1)).toMatch(/established encrypted {3}fastdp .*\(worker-3\) encrypted=truemtu=1376/);
    expect(world.logs).toContainEqual(
      expect.stringMatching(/^worker-1 overlay_switch ->\[.*\(worker-2\)\] using sleeve$/),
    );
    expect(world.logs.filter((line) => line.includes('shutting down'))).toEqual([]);
    expect(ask(1, 2)).toContain('pod-2 heard');
    overlay.up = true;
    cluster.advance((HOLD_SECONDS + 3) * SECOND_US);
    expect(connections(1)).toMatch(/fastdp .*\(worker-2\)/);
    expect(ask(1, 2)).toContain('pod-2 heard');
  });
});

describe.each([
  ['fastdp', { overlays: FASTDP }],
  ['sleeve', { overlays: SLEEVE }],
  ['encrypted fastdp', { overlays: FASTDP, password: 'right' }],
  ['encrypted sleeve', { overlays: SLEEVE, password: 'right' }],
])('two nodes that cannot reach each other, with %s', (_, choice) => {
  it('talk by way of a third, and straight again once they can', () => {
    const one = running(choice);
    const { ask, connections, cluster, report } = one;
    expect(ask(1, 2)).toContain('pod-2 heard');
    const mend = cut(one, 1, 2);
    cluster.advance((HOLD_SECONDS + 4) * SECOND_US);
    expect(connections(1)).toMatch(/^<- 192\.168\.1\.11:6783 +failed +read: i\/o timeout/m);
    const names = new Map<string, string>(
      report(1).Router.Peers.map(({ Name, NickName }: { Name: string; NickName: string }) => [NickName, Name]),
    );
    const wayTo2 = () =>
      report(1).Router.UnicastRoutes.find(({ Dest }: { Dest: string }) => Dest === names.get('worker-2'));
    expect(wayTo2()).toMatchObject({ Via: names.get('worker-3') });
    expect(ask(1, 2)).toContain('pod-2 heard');
    expect(ask(2, 1, 1300)).toContain('pod-1 heard');
    mend();
    cluster.advance(40 * SECOND_US);
    expect(wayTo2()).toMatchObject({ Via: names.get('worker-2') });
    expect(ask(1, 2)).toContain('pod-2 heard');
    expect(cluster.memory.inUse).toBe(0);
  });
});

it('a peer behind which others are sends those nothing that is for its own pods', () => {
  const one = running({ overlays: SLEEVE });
  const { ask, cluster, report } = one;
  cut(one, 1, 2);
  cluster.advance((HOLD_SECONDS + 4) * SECOND_US);
  expect(ask(1, 3)).toContain('pod-3 heard');
  const heard = () => report(2).Router.OverlayDiagnostics.sleeve.FramesReceived;
  const before = heard();
  expect(ask(1, 3)).toContain('pod-3 heard');
  expect(heard()).toBe(before);
  const here = report(3).Router.MACs.filter(({ NickName }: { NickName: string }) => NickName === 'worker-3');
  expect(here.length).toBeGreaterThan(0);
});

it('a peer of which something else is said has a connection again', () => {
  const { world, ask, cluster, connections } = running({ password: 'right' });
  for (const [node, other] of [
    [0, 1],
    [1, 0],
  ] as const) {
    const peer = world.nodeAt(other);
    world.plugins[node]!.setPeer({ ...peer, podCidr: null });
    expect(ask(1, 2)).toContain('pod-2 heard');
    world.plugins[node]!.setPeer({ ...peer, internalIpv6: 7 });
    cluster.advance(SECOND_US);
    expect(connections(node + 1)).toMatch(new RegExp(`established .*worker-${other + 1}`));
    expect(ask(1, 2)).toContain('pod-2 heard');
  }
});

it.each([
  ['by way of it alone', false],
  ['not at all', true],
])('a peer that leaves has one heir, where two others are connected %s', (_, isParted) => {
  const one = running();
  const { world, cluster } = one;
  const mends = [cut(one, 1, 2), ...(isParted ? [cut(one, 1, 3), cut(one, 2, 3)] : [])];
  cluster.advance((HOLD_SECONDS + 4) * SECOND_US);
  for (const plugin of world.plugins.slice(0, 2)) plugin.removePeer('worker-3');
  for (const mend of mends.reverse()) mend();
  cluster.advance(20 * SECOND_US);
  const entries = (node: number) => one.report(node).IPAM.Entries.map(({ Nickname }: { Nickname: string }) => Nickname);
  expect(entries(1)).toEqual(entries(2));
  expect(new Set(entries(1))).toEqual(new Set(['worker-1', 'worker-2']));
});

describe('weave rmpeer', () => {
  it('takes the addresses of a peer that is gone, and of no other', () => {
    const one = running();
    const { world, cluster } = one;
    const status = () => world.run(1, 'weave', 'status', 'ipam');
    expect(world.run(1, 'weave', 'rmpeer', 'worker-3')).toBe("Peer 'worker-3' is alive, and keeps its addresses\n");
    for (const other of [1, 2]) cut(one, other, 3);
    cluster.advance((HOLD_SECONDS + 3) * SECOND_US);
    expect(status()).toMatch(/\(worker-3\) +\d+ IPs \(\d\d\.\d% of total\) - unreachable!$/m);
    expect(world.run(1, 'weave', 'rmpeer', 'worker-3')).toMatch(/^(16384|32768) IPs taken over from worker-3\n$/);
    expect(status().trim().split('\n')).toHaveLength(2);
    cluster.advance(SECOND_US);
    expect(world.run(2, 'weave', 'status', 'ipam').trim().split('\n')).toHaveLength(2);
    expect(world.run(1, 'weave', 'rmpeer', 'nobody')).toBe("Cannot find peer 'nobody': no addresses are its own\n");
  });
});

describe('weave status peers', () => {
  it('lists who is connected to whom, by what address and who began', () => {
    const { world } = running();
    expect(world.run(1, 'weave', 'status', 'peers')).toMatch(
      /^[0-9a-f:]{17}\(worker-1\)\n( {3}<- 192\.168\.1\.1[12]:6783 {5}[0-9a-f:]{17}\(worker-[23]\) +established\n){2}/m,
    );
  });
});
