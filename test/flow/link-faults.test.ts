/** Faults of links on whole nodes: what a ping sees, to the microsecond of virtual time, and what traces say of it. */
import { describe, expect, test } from 'vitest';
import { LinkFaultError } from '../../node-agent/datapath/faults/link-faults.ts';
import type { NetworkParts, NodeNetwork } from '../../node-agent/datapath/network/node-network.ts';
import type { NodeDatapath } from '../../node-agent/datapath/path.ts';
import { nodeKernelView } from '../../node-agent/kernel-view/kernel-view.ts';
import type { Host } from '../../shared/netstack/host.ts';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import type { FaultDirection, FaultTarget } from '../../shared/rules/link-fault.ts';
import { startTransfer } from '../sim/transfer.ts';
import { ip, TestCluster } from './cluster.testkit.ts';
import { NETWORKS } from './network-cases.testkit.ts';

const peer = (node: string): FaultTarget => ({ kind: 'peer', node });
const pod = (address: string, direction: FaultDirection): FaultTarget => ({
  kind: 'pod',
  namespace: 'default',
  pod: `pod-${address}`,
  direction,
});
const device = (name: string, direction: FaultDirection): FaultTarget => ({ kind: 'device', device: name, direction });

function impair(
  node: NodeDatapath,
  target: FaultTarget,
  change: ImpairmentChange,
  durationUs = Number.POSITIVE_INFINITY,
) {
  return node.faults.set([target], change, { seed: 1, freshSeed: 1, durationUs });
}

function twoPods(network?: (parts: NetworkParts) => NodeNetwork): {
  cluster: TestCluster;
  a: Host;
  b: Host;
  rttUs: (from?: Host, to?: string) => number | string;
} {
  const cluster = new TestCluster(2, 1, network === undefined ? {} : { network });
  const a = cluster.pod('10.244.1.5').host;
  const b = cluster.pod('10.244.2.6').host;
  const rttUs = (from = a, to = '10.244.2.6'): number | string => {
    let sentUs = 0;
    let answeredUs = 0;
    cluster.settle();
    sentUs = cluster.engine.nowUs;
    from.icmp.ping({ identifier: 9, sequence: cluster.captured.length, address: ip(to) }, (outcome) => {
      if (outcome.kind === 'reply') answeredUs = cluster.engine.nowUs;
    });
    cluster.advance(500_000);
    return answeredUs === 0 ? 'lost' : answeredUs - sentUs;
  };
  rttUs(); // neighbours are known from here on
  return { cluster, a, b, rttUs };
}

describe('between two nodes', () => {
  test('each direction has its own delay', () => {
    const { cluster, rttUs } = twoPods();
    const fastUs = Number(rttUs());
    impair(cluster.node(1), peer('worker-2'), { delayUs: 20_000 });
    expect(rttUs()).toBe(fastUs + 20_000);
    impair(cluster.node(2), peer('worker-1'), { delayUs: 5000 });
    expect(rttUs()).toBe(fastUs + 25_000);
    cluster.node(1).faults.clear([peer('worker-2')]);
    expect(rttUs()).toBe(fastUs + 5000);
    cluster.node(2).faults.clear('all');
    expect(rttUs()).toBe(fastUs);
    expect(cluster.node(2).faults.list()).toEqual([]);
  });

  test('a partition drops with a reason that traces and counters name, and ends by itself', () => {
    const { cluster, rttUs } = twoPods();
    impair(cluster.node(1), peer('worker-2'), { delayUs: 1000 });
    const [fault] = impair(cluster.node(1), peer('worker-2'), { partition: true }, 600_000);
    expect(fault).toMatchObject({ from: 'worker-1', to: 'worker-2', remainingMs: 600, seed: 1 });
    expect(fault?.impairment).toMatchObject({ partition: true, delayUs: 1000 });
    expect(rttUs()).toBe('lost');
    expect(cluster.journey()).toContain('worker-1 link worker-1 -> worker-2: dropped: link-partition | ');
    expect(cluster.node(1).drops.list()).toContainEqual({
      where: 'link worker-1 -> worker-2',
      code: 'link-partition',
      cause: null,
      packets: 1,
    });
    cluster.advance(200_000);
    expect(typeof rttUs()).toBe('number');
    const [left] = cluster.node(1).faults.list();
    expect(left?.impairment).toMatchObject({ partition: false, delayUs: 1000 });
    expect(left).not.toHaveProperty('remainingMs');
    expect(left?.counters.dropped).toEqual({ 'link-partition': 1 });
  });

  test('a temporary fault leaves nothing behind, not even an entry', () => {
    const { cluster, rttUs } = twoPods();
    const fastUs = rttUs();
    impair(cluster.node(1), peer('worker-2'), { delayUs: 300_000 }, 100_000);
    expect(typeof rttUs()).toBe('number'); // let go when the fault ended
    cluster.advance(100_000);
    expect(cluster.node(1).faults.list()).toEqual([]);
    expect(rttUs()).toBe(fastUs);
  });

  test('that a link has a fault, and that none has one any more, is told', () => {
    const { cluster } = twoPods();
    const { faults } = cluster.node(1);
    const told: boolean[] = [];
    faults.onPresence = (present) => told.push(present);
    impair(cluster.node(1), peer('worker-2'), { delayUs: 1000 });
    impair(cluster.node(1), device('eth0', 'to'), { delayUs: 1000 }, 100_000);
    faults.clear([peer('worker-2')]);
    expect(told).toEqual([true]);
    cluster.advance(200_000);
    expect(told).toEqual([true, false]);
    impair(cluster.node(1), peer('worker-2'), { loss: 1 });
    cluster.node(1).removePeer('worker-2');
    expect(told).toEqual([true, false, true, false]);
  });

  test('a delay shows in the trace', () => {
    const { cluster, rttUs } = twoPods();
    impair(cluster.node(1), peer('worker-2'), { delayUs: 20_000 });
    rttUs();
    expect(cluster.journey()).toContain('worker-1 link worker-1 -> worker-2: held for 20.0 ms | ');
  });

  test('the fault stays when the other node comes back elsewhere, and goes when it is deleted', () => {
    const { cluster, rttUs } = twoPods();
    impair(cluster.node(1), peer('worker-2'), { partition: true });
    const [known] = cluster.node(1).peers.list();
    cluster.node(1).setPeer({ ...known!.options, vtepMac: known!.options.vtepMac! + 1 });
    cluster.node(1).setPeer(known!.options);
    expect(rttUs()).toBe('lost');
    cluster.node(1).removePeer('worker-2');
    expect(cluster.node(1).faults.list()).toEqual([]);
  });

  test('corruption is found by checksums, and TCP delivers through all of it', () => {
    const { cluster, a, b } = twoPods();
    const change = { delayUs: 2000, jitterUs: 1000, loss: 0.02, duplicate: 0.02, reorder: 0.05, corrupt: 0.02 };
    impair(cluster.node(1), peer('worker-2'), change);
    impair(cluster.node(2), peer('worker-1'), change);
    const transfer = startTransfer(a, b, {
      remoteAddress: ip('10.244.2.6'),
      port: 80,
      upBytes: 300_000,
      downBytes: 300_000,
      seed: 5,
    });
    for (let i = 0; i < 600 && !transfer.done(); i++) cluster.advance(100_000);
    expect(transfer.errors).toEqual([null, null]);
    const counters = cluster.node(1).faults.list()[0]!.counters;
    for (const count of [counters.corrupted, counters.duplicated, counters.reordered, counters.dropped['link-loss']]) {
      expect(count).toBeGreaterThan(0);
    }
    const codes = [...cluster.node(2).drops.list(), ...cluster.node(1).drops.list()].map(({ code }) => code);
    expect(codes.some((code) => code.includes('checksum'))).toBe(true);
  });
});

describe('at pods and devices', () => {
  test.each([
    ['a pod', pod('10.244.1.5', 'from')],
    ['a tunnel', device('flannel.1', 'to')],
    ['a tunnel, inwards', device('flannel.1', 'from')],
    ['the card below it, inwards', device('eth0', 'from')],
  ] as const)('a delay alone at %s keeps what the window allows', (_where, target) => {
    const { cluster, a, b } = twoPods();
    impair(cluster.node(1), target, { delayUs: 2000 });
    const options = { remoteAddress: ip('10.244.2.6'), port: 80, upBytes: 50_000_000, downBytes: 0, seed: 5 };
    const transfer = startTransfer(a, b, options);
    const startUs = cluster.engine.nowUs;
    while (!transfer.done() && cluster.engine.nowUs < startUs + 10_000_000) cluster.advance(100);
    expect(transfer.errors).toEqual([null, null]);
    // A window of 1 MiB a round trip of 2 ms, after some round trips of slow start.
    expect(cluster.engine.nowUs - startUs).toBeLessThan(100_000 / 0.9 + 10_000);
  });

  test.each(['to', 'from'] as const)('%s a pod', (direction) => {
    const { cluster, a, rttUs } = twoPods();
    cluster.pod('10.244.1.7');
    const before = [rttUs(), rttUs(a, '10.244.1.7')];
    rttUs(a, '10.244.1.7');
    impair(cluster.node(1), pod('10.244.1.7', direction), { delayUs: 7000 });
    expect(rttUs()).toBe(before[0]);
    expect(rttUs(a, '10.244.1.7')).toBe(Number(before[1]) + 7000);
  });

  test.each(['to', 'from'] as const)('flannel.1, %s', (direction) => {
    const { cluster, rttUs } = twoPods();
    const before = Number(rttUs());
    impair(cluster.node(1), device('flannel.1', direction), { delayUs: 3000 });
    expect(rttUs()).toBe(before + 3000);
  });

  test.each(Object.keys(NETWORKS).filter((name) => !name.startsWith('aws')))(
    "%s: what leaves by eth0, the overlay's datagrams too",
    (name) => {
      const { cluster, rttUs } = twoPods(NETWORKS[name]!.network);
      const fastUs = Number(rttUs());
      impair(cluster.node(1), device('eth0', 'to'), { delayUs: 3000 });
      expect(rttUs()).toBe(fastUs + 3000);
      impair(cluster.node(1), device('eth0', 'from'), { delayUs: 4000 });
      expect(rttUs()).toBe(fastUs + 7000);
      impair(cluster.node(1), device('eth0', 'from'), { delayUs: 0, corrupt: 1 });
      expect(rttUs()).toBe('lost');
      impair(cluster.node(1), device('eth0', 'from'), { corrupt: 0, duplicate: 1 });
      expect(rttUs()).toBe(fastUs + 3000);
      cluster.node(1).faults.clear('all');
      expect(rttUs()).toBe(fastUs);
    },
  );

  test("a firewall's mark on what leaves by eth0 is no mark of the overlay", () => {
    const { cluster, rttUs } = twoPods(NETWORKS['flannel host-gw']!.network);
    const fastUs = Number(rttUs());
    const mark = 'iptables -t mangle -A PREROUTING -j MARK --set-mark 1';
    expect(nodeKernelView(cluster.node(1)).run(mark.split(' '))).toMatchObject({ code: 0 });
    impair(cluster.node(1), device('eth0', 'to'), { delayUs: 3000 });
    expect(rttUs()).toBe(fastUs + 3000);
  });

  test('eth0 of a node that is deleted meanwhile lets go of what was for it', () => {
    const { cluster, a } = twoPods();
    impair(cluster.node(1), device('eth0', 'to'), { delayUs: 50_000 });
    const { inUse } = cluster.memory;
    cluster.ask(a, '10.244.2.6', 53);
    cluster.node(1).removePeer('worker-2');
    cluster.advance(100_000);
    expect(cluster.memory.inUse).toBeLessThanOrEqual(inUse);
    expect(
      cluster
        .node(1)
        .drops.list()
        .map(({ code }) => code),
    ).toContain('unknown-peer');
  });

  test.each([
    ['flannel udp', 'flannel0'],
    ['calico IP-in-IP', 'tunl0'],
    ['cilium Geneve', 'cilium_geneve'],
    ['cilium native, encrypted', 'cilium_wg0'],
  ])('%s: %s, both ways', (name, tunnel) => {
    const { cluster, rttUs } = twoPods(NETWORKS[name]!.network);
    const fastUs = Number(rttUs());
    impair(cluster.node(1), device(tunnel, 'to'), { delayUs: 3000 });
    expect(rttUs()).toBe(fastUs + 3000);
    impair(cluster.node(1), device(tunnel, 'from'), { delayUs: 4000 });
    expect(rttUs()).toBe(fastUs + 7000);
    impair(cluster.node(1), device(tunnel, 'from'), { loss: 1 });
    expect(rttUs()).toBe('lost');
    cluster.node(1).faults.clear('all');
    expect(rttUs()).toBe(fastUs);
  });

  test("a pod's cable has one fault, whether named by the pod or by its device", () => {
    const { cluster } = twoPods();
    const veth = cluster.node(1).pods.get('default/pod-10.244.1.5')!.hostDevice.name;
    impair(cluster.node(1), pod('10.244.1.5', 'to'), { delayUs: 1000 });
    const [fault] = impair(cluster.node(1), device(veth, 'to'), { loss: 0.5 });
    expect(cluster.node(1).faults.list()).toHaveLength(1);
    expect(fault?.impairment).toMatchObject({ delayUs: 1000, loss: 0.5 });
  });

  test('damage of a frame on the same node is found too', () => {
    const { cluster, a, rttUs } = twoPods();
    cluster.pod('10.244.1.7');
    rttUs(a, '10.244.1.7');
    impair(cluster.node(1), pod('10.244.1.7', 'to'), { corrupt: 1 });
    expect(rttUs(a, '10.244.1.7')).toBe('lost');
    expect(cluster.node(1).faults.list()[0]?.counters.corrupted).toBe(1);
  });

  test('a fault goes with its pod, with what it held', () => {
    const { cluster, a } = twoPods();
    const { detach } = cluster.pod('10.244.1.7');
    impair(cluster.node(1), pod('10.244.1.7', 'to'), { delayUs: 50_000 });
    cluster.ask(a, '10.244.1.7', 53);
    const { inUse } = cluster.memory;
    detach();
    expect(cluster.node(1).faults.list()).toEqual([]);
    expect(cluster.memory.inUse).toBeLessThanOrEqual(inUse);
    cluster.advance(100_000);
  });
});

describe('what cannot be is refused, and changes nothing', () => {
  const cases: [string, FaultTarget, ImpairmentChange, RegExp][] = [
    [
      'a node that is not there',
      peer('worker-9'),
      { loss: 1 },
      /^worker-1 knows no node 'worker-9': it knows worker-2$/,
    ],
    ['itself', peer('worker-1'), { loss: 1 }, /^worker-1 knows no node 'worker-1'/],
    ['a pod that is elsewhere', pod('10.244.9.9', 'to'), { loss: 1 }, /^worker-1 has no pod default\/pod-10.244.9.9 /],
    [
      'a device that is not there',
      device('eth7', 'to'),
      { loss: 1 },
      /no device 'eth7' .* it has eth0, flannel\.1, veth/,
    ],
    ['the bridge', device('cni0', 'to'), { loss: 1 }, /no device 'cni0' that can have faults/],
    [
      'a limit without a rate',
      peer('worker-2'),
      { limitPackets: 50 },
      /^worker-1 -> worker-2: --limit alone changes nothing: it goes with --rate/,
    ],
    [
      'a correlation of what there is not',
      peer('worker-2'),
      { delayUs: 1000, lossCorrelation: 0.25 },
      /--loss-correlation alone changes nothing: it goes with --loss/,
    ],
    [
      'two kinds of loss',
      peer('worker-2'),
      { loss: 0.01, burstLoss: { toBad: 0.01, toGood: 0.1, lossInBad: 1, lossInGood: 0 } },
      /--loss and --gemodel are two kinds of loss: name one of them/,
    ],
    [
      'reordering without a delay',
      peer('worker-2'),
      { reorder: 0.1 },
      /^worker-1 -> worker-2: --reorder needs a --delay/,
    ],
    ['reordering in order', peer('worker-2'), { delayUs: 1, reorder: 0.1, keepOrder: true }, /contradict/],
  ];
  test.each(cases)('%s', (_, target, change, message) => {
    const { cluster } = twoPods();
    const { faults } = cluster.node(1);
    const settings = { freshSeed: 1, durationUs: Number.POSITIVE_INFINITY };
    const attempt = () => faults.set([peer('worker-2'), target], change, settings);
    expect(attempt).toThrow(LinkFaultError);
    expect(attempt).toThrow(message);
    expect(faults.list()).toEqual([]);
  });
});
