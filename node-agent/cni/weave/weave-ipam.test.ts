import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryLeases } from '../ipam/memory-leases.testkit.ts';
import { decodeMeshMessage, encodeMeshMessage, type MeshMessage, meshFrameLength } from './gossip.ts';
import { Paxos } from './paxos.ts';
import { Ring } from './ring.ts';
import { Topology } from './topology.ts';
import { WeaveIpam } from './weave-ipam.ts';

const NETWORK = 0x0a20_0000; // 10.32.0.0

const to = (...names: string[]) =>
  names.map((name) => ({ name, address: `192.168.1.1${name.charCodeAt(0)}:6783`, outbound: true }));

describe('paxos', () => {
  /** Peers exchange their states in any order, some begin rounds of their own in between, and some never hear anything. */
  it('never decides twice', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('tell' as const), from: fc.nat(4), to: fc.nat(4) }),
      fc.record({ kind: fc.constant('propose' as const), peer: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const names = ['a', 'b', 'c', 'd', 'e'];
        const peers = names.map((name) => new Paxos(name));
        const decisions = new Set<string>();
        for (const one of steps) {
          if (one.kind === 'propose') peers[one.peer]!.propose();
          else peers[one.to]!.merge(JSON.parse(JSON.stringify(peers[one.from]!.state)));
          for (const [i, peer] of peers.entries()) {
            while (peer.think([names[i]!, 'x'], 3));
            const decided = peer.decided(3);
            if (decided !== undefined) decisions.add(decided.join());
          }
        }
        expect(decisions.size).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2000 },
    );
  });

  it('decides once a quorum talks', () => {
    const [a, b] = [new Paxos('a'), new Paxos('b')];
    a.propose();
    for (let i = 0; i < 4; i++) {
      b.merge(a.state);
      b.think(['b'], 2);
      a.merge(b.state);
      a.think(['a', 'b'], 2);
    }
    expect(a.decided(2)).toEqual(['a', 'b']);
    expect(b.decided(2)).toEqual(['a', 'b']);
  });
});

describe('ring', () => {
  it.each([
    [1, ['0/65536']],
    [2, ['0/32768', '32768/32768']],
    [3, ['0/32768', '32768/16384', '49152/16384']],
    [4, ['0/16384', '16384/16384', '32768/16384', '49152/16384']],
  ])('%d peers share it by halves', (count, wanted) => {
    const ring = new Ring(0, 65_536);
    const owners = Array.from({ length: count }, (_, i) => `peer-${i}`);
    ring.seed(owners);
    expect(owners.flatMap((owner) => ring.rangesOf(owner).map(({ start, size }) => `${start}/${size}`))).toEqual(
      wanted,
    );
  });

  it('every address has one owner, whatever is given, and merged in any order rings are the same', () => {
    const gifts = fc.array(fc.record({ at: fc.nat(255), to: fc.constantFrom('a', 'b', 'c') }), { maxLength: 20 });
    fc.assert(
      fc.property(gifts, (list) => {
        const ring = new Ring(0, 256);
        ring.seed(['a', 'b']);
        const states = [ring.tokens];
        for (const { at, to } of list) {
          const from = [...ring.owners].find((owner) =>
            ring.rangesOf(owner).some(({ start, size }) => at >= start && at < start + size),
          );
          ring.give(at, from!, to);
          states.push(ring.tokens);
        }
        const total = [...ring.owners]
          .flatMap((owner) => ring.rangesOf(owner))
          .reduce((sum, { size }) => sum + size, 0);
        expect(total).toBe(256);
        const merged = new Ring(0, 256);
        for (const state of [...states].reverse()) merged.merge(state);
        expect(merged.tokens).toEqual(ring.tokens);
      }),
    );
  });
});

describe('WeaveIpam', () => {
  function ipam(self: string, prefixLength = 29) {
    const asked: string[] = [];
    const options = {
      self,
      range: { network: NETWORK, prefixLength },
      leases: memoryLeases(),
      changed: () => undefined,
      wantSpace: () => asked.push(self),
    };
    return { pool: new WeaveIpam(options), again: () => new WeaveIpam(options), asked };
  }
  const alone = { candidates: ['a'], quorum: 1 };

  it('gives out what it owns, but for the addresses of the network and of everyone, and asks for more', () => {
    const { pool, asked } = ipam('a');
    pool.elect(alone);
    const given = Array.from({ length: 6 }, (_, i) => pool.allocate(`pod-${i}`) - NETWORK);
    expect(given).toEqual([1, 2, 3, 4, 5, 6]);
    expect(() => pool.allocate('one more')).toThrow('no IP address is free');
    expect(asked).toEqual(['a']);
    pool.release('pod-2');
    expect(pool.allocate('one more') - NETWORK).toBe(3);
  });

  it('two peers agree, each by what the other says last', () => {
    const both = { candidates: ['a', 'b'], quorum: 2 };
    const [a, b] = [ipam('a', 24).pool, ipam('b', 24).pool];
    a.elect(both);
    b.elect(both);
    const tell = (from: WeaveIpam, to: WeaveIpam) => to.merge(from.state.paxos, from.state.ring, both);
    // Nobody speaks who has no news.
    for (let hasNews = true; hasNews; ) hasNews = [tell(a, b), tell(b, a)].includes(true);
    expect([a.isReady, b.isReady]).toEqual([true, true]);
    expect(a.ring.tokens).toEqual(b.ring.tokens);
  });

  it('a peer that came later is given half of what is free, above what is in use', () => {
    const [first, later] = [ipam('a', 24).pool, ipam('b', 24).pool];
    first.elect(alone);
    const kept = first.allocate('pod');
    first.donate('b');
    later.merge(first.state.paxos, first.state.ring, { candidates: ['b'], quorum: 2 });
    expect(later.allocate('other') - NETWORK).toBe(129);
    expect(first.allocate('pod')).toBe(kept);
    expect(first.ring.rangesOf('a')).toEqual([{ start: NETWORK, size: 129 }]);
  });

  it('remembers addresses and ring over a restart', () => {
    const { pool, again } = ipam('a');
    pool.elect(alone);
    const address = pool.allocate('pod');
    const restarted = again();
    expect(restarted.isReady).toBe(true);
    expect(restarted.allocate('pod')).toBe(address);
    expect(restarted.allocate('other')).not.toBe(address);
  });
});

describe('topology', () => {
  it('forgets whom nobody leads to, and believes a peer that started anew once it has spoken', () => {
    const topology = new Topology('a', 'worker-1');
    topology.connectedTo(to('b'));
    topology.merge([
      { name: 'b', nickname: 'worker-2', version: 3, connections: to('a', 'c') },
      { name: 'c', nickname: 'worker-3', version: 1, connections: to('b') },
      { name: 'a', nickname: 'worker-1', version: 40, connections: [] },
    ]);
    expect(topology.peers.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(topology.peers[0]).toMatchObject({ version: 41, connections: to('b') });
    topology.merge([{ name: 'b', nickname: 'worker-2', version: 4, connections: to('a') }]);
    expect(topology.peers.map(({ name }) => name)).toEqual(['a', 'b']);
  });
});

describe('ways', () => {
  const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
  const pairs = NAMES.flatMap((one, i) => NAMES.slice(i + 1).map((other) => [one, other] as const));

  it('lead from peer to peer to where they should, without a loop, and a broadcast reaches everyone once', () => {
    fc.assert(
      fc.property(fc.subarray(pairs), (links) => {
        const peers = NAMES.map((name) => {
          const others = links.flatMap(([a, b]) => (a === name ? [b] : b === name ? [a] : []));
          return { name, nickname: name, version: 2, connections: to(...others) };
        });
        const topologies = new Map(
          NAMES.map((name) => {
            const topology = new Topology(name, name);
            topology.merge(peers.filter((peer) => peer.name !== name));
            topology.connectedTo(peers.find((peer) => peer.name === name)!.connections);
            return [name, topology];
          }),
        );
        for (const source of NAMES) {
          const reachable = topologies.get(source)!.peers.map(({ name }) => name);
          for (const target of reachable.slice(1)) {
            const way = [source];
            while (way.at(-1) !== target && way.length <= NAMES.length) {
              way.push(topologies.get(way.at(-1)!)!.unicastRoutes().get(target) ?? 'nobody');
            }
            expect(way.length).toBeLessThanOrEqual(NAMES.length);
          }
          const heard = [source];
          for (const peer of heard) heard.push(...topologies.get(peer)!.broadcastRoutes(source));
          expect(heard.sort()).toEqual([...reachable].sort());
        }
      }),
      { numRuns: 500 },
    );
  });

  it('a connection that one end alone tells of is none', () => {
    const topology = new Topology('a', 'a');
    topology.connectedTo(to('b'));
    topology.merge([{ name: 'b', nickname: 'b', version: 1, connections: [] }]);
    expect([...topology.unicastRoutes()]).toEqual([]);
  });
});

describe('messages', () => {
  it.each<MeshMessage>([
    { kind: 'intro' },
    { kind: 'intro', key: 'abc=' },
    { kind: 'hello', name: 'a', nickname: 'worker-1', overlays: ['sleeve'] },
    { kind: 'heard', way: 'sleeve', mtuBytes: 1438 },
    { kind: 'want-space' },
    { kind: 'heartbeat' },
    {
      kind: 'gossip',
      peers: [{ name: 'a', nickname: 'worker-1', version: 1, connections: to('b') }],
      paxos: {
        a: { promise: { round: 1, proposer: 'a' }, accepted: { id: { round: 1, proposer: 'a' }, value: ['a'] } },
      },
      ring: [{ start: NETWORK, owner: 'a', version: 1 }],
    },
  ])('$kind', (message) => {
    const frame = encodeMeshMessage(message);
    expect(meshFrameLength(frame)).toBe(frame.length);
    expect(decodeMeshMessage(frame)).toEqual(message);
  });

  it('whatever comes is a message or none', () => {
    const body = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(body, (text) => {
        const bytes = new TextEncoder().encode(`\0\0\0\0${text}`);
        expect(() => decodeMeshMessage(bytes)).not.toThrow();
      }),
    );
    expect(meshFrameLength(new Uint8Array([255, 255, 255, 255]))).toBe(0);
    expect(meshFrameLength(new Uint8Array(3))).toBeUndefined();
  });
});
