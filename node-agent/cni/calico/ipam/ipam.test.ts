/** calico's IPAM: blocks, borrowing, exhaustion, what is given back; and that no address is ever given twice. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../../shared/netstack/seeded-random.ts';
import { formatIpv4, parseIpv4 } from '../../../../shared/wire/address.ts';
import { parsePrefix } from '../../../../shared/wire/ip-address.ts';
import { AddressesExhaustedError } from '../../ipam/host-local.ts';
import { MemoryCalicoStore, type MemoryDatastore } from '../memory-datastore.testkit.ts';
import type { AddressRequest } from './assignment.ts';
import { blockOf, heldAddresses, newBlock } from './block.ts';
import { placesOf } from './block-places.ts';
import { CalicoIpam } from './calico-ipam.ts';
import type { IpPoolObject } from './ip-pool.ts';
import { IpamConflictError } from './ipam-store.ts';

function ipamOn(node: string, store: MemoryDatastore): CalicoIpam {
  return new CalicoIpam({ node, store, preferred: () => null, avoided: () => [] });
}

/** A pool of a few blocks of four addresses. */
function world(...pools: NonNullable<IpPoolObject['spec']>[]) {
  const store = new MemoryCalicoStore(...(pools.length > 0 ? pools : [{ cidr: '10.1.0.0/28', blockSize: 30 }]));
  const node = (name: string) => {
    const view = store.node();
    const ipam = ipamOn(name, view);
    const pod = async (handle: string, more: Partial<AddressRequest> = {}): Promise<string> => {
      const holder = { handle_id: handle, secondary: { node: name, pod: handle, timestamp: 't' } };
      return formatIpv4(await ipam.assign({ holder, ...more }));
    };
    const pods = async (count: number, prefix = name) => {
      const given: string[] = [];
      for (let i = 0; i < count; i++) given.push(await pod(`${prefix}-${i}`));
      return given;
    };
    return { ipam, view, pod, pods };
  };
  const blocks = () => [...store.blocks.values()].map(({ spec }) => `${spec.cidr} ${spec.affinity ?? '-'}`);
  return { store, a: node('a'), b: node('b'), blocks };
}

describe('blocks', () => {
  it('a node claims one, and the next when it is full', async () => {
    const { a, b, blocks } = world();
    expect(await a.pods(2)).toEqual(['10.1.0.0', '10.1.0.1']);
    expect(await b.pods(1)).toEqual(['10.1.0.4']);
    expect(await a.pods(3, 'more')).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.8']);
    expect(blocks()).toEqual(['10.1.0.0/30 host:a', '10.1.0.4/30 host:b', '10.1.0.8/30 host:a']);
  });

  it('a handle keeps its address, and a freed one is given out last', async () => {
    const { a } = world();
    expect(await a.pods(2)).toEqual(await a.pods(2));
    await a.ipam.release('a-0');
    expect(await a.pods(3, 'new')).toEqual(['10.1.0.2', '10.1.0.3', '10.1.0.0']);
  });

  it('an empty one is given back, but for the last', async () => {
    const { a, blocks } = world();
    await a.pods(5);
    await a.ipam.release('a-4');
    expect(blocks()).toEqual(['10.1.0.0/30 host:a']);
    for (let i = 0; i < 4; i++) await a.ipam.release(`a-${i}`);
    expect(blocks()).toEqual(['10.1.0.0/30 host:a']);
  });

  it('addresses are borrowed when no block is free, and lead to the borrower', async () => {
    const { a, b, store } = world();
    await b.pods(1);
    await a.pods(12);
    const borrowed = await a.pod('guest');
    expect(borrowed).toMatch(/^10\.1\.0\.[123]$/);
    expect(placesOf(store.blocks.values())).toContainEqual({
      prefix: { address: parseIpv4(borrowed), prefixLength: 32 },
      node: 'a',
    });
    await a.ipam.release('guest');
    expect(placesOf(store.blocks.values()).every(({ prefix }) => prefix.prefixLength === 30)).toBe(true);
  });

  it('strictAffinity forbids it; the pod waits until something is free', async () => {
    const { a, b, store } = world();
    store.strictAffinity = true;
    await b.pods(1);
    await a.pods(12);
    await expect(a.pod('guest')).rejects.toThrow('No more free affine blocks and strict affinity enabled');
    await a.ipam.release('a-3');
    expect(await a.pod('guest')).toBe('10.1.0.7');
  });

  it('a pool that is full says so, and recovers', async () => {
    const { a, b } = world();
    await a.pods(8);
    await b.pods(8);
    await expect(b.pod('late')).rejects.toThrow(AddressesExhaustedError);
    await a.ipam.release('a-0');
    expect(await b.pod('late')).toBe('10.1.0.0');
  });

  it('what a dead node holds is freed when it comes back without its pods, or leaves the cluster', async () => {
    const { a, b, store, blocks } = world();
    await a.pods(3);
    await ipamOn('a', store.node()).retainOnly(new Set(['a-1']));
    expect([...store.blocks.values()].flatMap(heldAddresses).map(({ holder }) => holder.handle_id)).toEqual(['a-1']);
    await b.pods(1);
    await b.ipam.forgetNode('a');
    expect(blocks()).toEqual(['10.1.0.4/30 host:b']);
  });

  it('a block that others borrowed from outlives its node', async () => {
    const { a, b, blocks } = world({ cidr: '10.1.0.0/30', blockSize: 30 });
    await a.pods(1);
    await b.pods(1);
    await b.ipam.forgetNode('a');
    expect(blocks()).toEqual(['10.1.0.0/30 -']);
    await b.ipam.release('b-0');
    expect(blocks()).toEqual([]);
  });

  it('what is asked for at once is written at once', async () => {
    const { a, store } = world({ cidr: '10.1.0.0/24', blockSize: 26 });
    let writes = 0;
    store.network = async (request) => {
      writes++;
      request();
    };
    await Promise.all(Array.from({ length: 30 }, (_, i) => a.pod(`p-${i}`)));
    expect(writes).toBe(2);
  });
});

describe('pools', () => {
  const two = () => world({ cidr: '10.1.0.0/24' }, { cidr: '10.2.0.0/24', nodeSelector: "rack == '2'" });

  it('a node takes those that select it; a pod may ask for others by name or CIDR', async () => {
    const { a } = two();
    expect(await a.pod('x')).toBe('10.1.0.0');
    expect(await a.pod('y', { pools: ['pool-2'] })).toBe('10.2.0.0');
    expect(await a.pod('z', { pools: ['10.2.0.0/24'] })).toBe('10.2.0.1');
    await expect(a.pod('w', { pools: ['pool-3'] })).rejects.toThrow('IP pool is not configured, or disabled: pool-3');
    a.view.nodeLabels = { rack: '2' };
    expect(await a.pod('v')).toBe('10.1.0.1');
  });

  it('a disabled one gives out no more', async () => {
    const { a, store } = two();
    store.pools = store.pools.map((pool) => ({ ...pool, disabled: true }));
    await expect(a.pod('x')).rejects.toThrow('no configured Calico pools for node a');
  });

  it('a pod may ask for one address', async () => {
    const { a, b } = two();
    expect(await a.pod('x', { address: parseIpv4('10.1.0.77')! })).toBe('10.1.0.77');
    await expect(b.pod('y', { address: parseIpv4('10.1.0.77')! })).rejects.toThrow('already assigned');
    await expect(b.pod('z', { address: parseIpv4('10.9.0.1')! })).rejects.toThrow('in no configured pool');
  });
});

describe('blocks from outside', () => {
  const good = newBlock(parsePrefix('10.1.0.0/30')!, 'a').spec;
  it.each([
    ['nothing', undefined],
    ['no CIDR', { ...good, cidr: 'x' }],
    ['IPv6', { ...good, cidr: 'fd00::/122' }],
    ['too few allocations', { ...good, allocations: [null] }],
    ['a holder that is not there', { ...good, allocations: [0, null, null, null] }],
    ['places that are no numbers', { ...good, unallocated: ['0'] }],
  ])('%s', (_, spec) => {
    expect(blockOf(spec, '1')).toBeUndefined();
  });

  it('a place that is taken is not free', () => {
    const holder = { handle_id: 'h', secondary: {} };
    const block = blockOf({ ...good, allocations: [0, null, null, null], attributes: [holder] }, '1');
    expect(block?.spec.unallocated).toEqual([1, 2, 3]);
  });
});

/** Nodes that start and stop pods, are killed and come back, while requests take their time, fail, and lose their answers. */
async function simulate(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const chance = (share: number) => random() < share;
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const store = new MemoryCalicoStore({ cidr: '10.1.0.0/27', blockSize: 30 });
  store.tellsAtOnce = false;
  store.strictAffinity = chance(0.2);
  const underWay: (() => void)[] = [];
  const pass = (): Promise<void> => new Promise((resolve) => underWay.push(resolve));
  store.network = async (request, from) => {
    await pass();
    if (chance(0.1)) throw new Error('the API is away');
    request();
    await pass();
    // A process that was killed hears no answer.
    if (!store.isAlive(from)) await new Promise<never>(() => undefined);
    if (chance(0.1)) throw new IpamConflictError('the answer was lost');
  };
  const settle = (): Promise<void> => new Promise(setImmediate);

  interface Life {
    view: MemoryDatastore;
    ipam: CalicoIpam;
  }
  const nodes = ['a', 'b', 'c'];
  const lives = new Map<string, Life>();
  const start = (name: string): void => {
    const view = store.node();
    view.catchUp();
    lives.set(name, { view, ipam: ipamOn(name, view) });
  };
  for (const name of nodes) start(name);
  /** Pods of the API, and the addresses that they have in their node. */
  const pods = new Map<string, { readonly node: string; address: number | undefined }>();
  const check = (): void => {
    const used = [...pods.values()].flatMap(({ address }) => address ?? []);
    expect(new Set(used).size, `seed ${seed}: an address has two pods`).toBe(used.length);
  };
  const attach = async (name: string): Promise<void> => {
    const pod = pods.get(name)!;
    const life = lives.get(pod.node)!;
    const holder = { handle_id: name, secondary: { node: pod.node, timestamp: name } };
    const address = await life.ipam.assign({ holder }).catch((error: Error) => error);
    if (address instanceof Error || lives.get(pod.node) !== life || pods.get(name) !== pod) return;
    pod.address = address;
    check();
  };
  const retain = (node: string, life: Life): void => {
    const mine = [...pods].filter(([, pod]) => pod.node === node).map(([name]) => name);
    // A failure leaks addresses, and gives none out twice.
    life.ipam.retainOnly(new Set(mine)).catch((error: Error) => life.view.report(error));
  };
  let made = 0;
  for (let step = 0; step < 400; step++) {
    const dice = random();
    const name = oneOf([...pods.keys(), '']);
    if (dice < 0.3) {
      pods.set(`pod-${++made}`, { node: oneOf(nodes), address: undefined });
      void attach(`pod-${made}`);
    } else if (dice < 0.45 && name !== '') {
      const { node, address } = pods.get(name)!;
      pods.delete(name);
      const { ipam, view } = lives.get(node)!;
      if (address !== undefined || chance(0.5)) ipam.release(name).catch((error: Error) => view.report(error));
    } else if (dice < 0.55 && name !== '') void attach(name);
    else if (dice < 0.58) {
      const node = oneOf(nodes);
      store.drop(lives.get(node)!.view);
      for (const pod of pods.values()) if (pod.node === node) pod.address = undefined;
      start(node);
      retain(node, lives.get(node)!);
    } else if (dice < 0.7) lives.get(oneOf(nodes))!.view.catchUp();
    else if (underWay.length > 0) underWay.splice(Math.floor(random() * underWay.length), 1)[0]!();
    await settle();
  }
  while (underWay.length > 0) {
    underWay.shift()!();
    await settle();
  }
  check();
  const held = [...store.blocks.values()].flatMap(heldAddresses);
  for (const [name, { address }] of pods) {
    if (address === undefined) continue;
    expect(held, `seed ${seed}: ${name} has an address that nobody gave it`).toContainEqual(
      expect.objectContaining({ address, holder: expect.objectContaining({ handle_id: name }) }),
    );
  }
}

it('no address has two pods, whatever is killed and lost', async () => {
  for (let seed = 1; seed <= 60; seed++) await simulate(seed);
});
