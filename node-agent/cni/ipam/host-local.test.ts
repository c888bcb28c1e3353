import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AddressesExhaustedError, HostLocalIpam, type LeaseStore, type Leases } from './host-local.ts';

const NETWORK = 0x0af40100;

class MemoryStore implements LeaseStore {
  leases: Leases | undefined;
  load(): Leases | undefined {
    return this.leases;
  }
  save(leases: Leases): void {
    this.leases = leases;
  }
}

function ipam(store = new MemoryStore(), prefixLength = 24, network = NETWORK): HostLocalIpam {
  return new HostLocalIpam({ network, prefixLength }, store);
}

describe('host-local', () => {
  test('gives out .2 and up, once to each owner', () => {
    const pool = ipam();
    expect(pool.gateway).toBe(NETWORK + 1);
    expect([pool.allocate('a'), pool.allocate('b'), pool.allocate('a')]).toEqual([
      NETWORK + 2,
      NETWORK + 3,
      NETWORK + 2,
    ]);
  });

  test('lets a freed address rest until the circle is round', () => {
    const pool = ipam(new MemoryStore(), 29);
    expect(pool.capacity).toBe(5);
    pool.allocate('a');
    pool.release('a');
    expect(pool.allocate('b')).toBe(NETWORK + 3);
    for (const owner of ['c', 'd', 'e']) pool.allocate(owner);
    expect(pool.allocate('f')).toBe(NETWORK + 2);
  });

  test('says so when all are in use', () => {
    const pool = ipam(new MemoryStore(), 30);
    pool.allocate('a');
    expect(() => pool.allocate('b')).toThrow(AddressesExhaustedError);
    expect(() => pool.allocate('b')).toThrow(
      /^failed to allocate for range 0: no IP addresses available in range set: [\d.]+\.1-[\d.]+\.2$/,
    );
    pool.release('a');
    expect(pool.allocate('b')).toBe(NETWORK + 2);
  });

  test('remembers after a restart, and goes on behind the last address', () => {
    const store = new MemoryStore();
    const before = ipam(store);
    before.allocate('a');
    before.allocate('b');
    before.allocate('gone');
    const after = ipam(store);
    after.retainOnly(new Set(['a', 'b']));
    expect(after.allocate('b')).toBe(NETWORK + 3);
    expect(after.allocate('new')).toBe(NETWORK + 5);
    expect(after.size).toBe(3);
  });

  test('forgets leases of another range', () => {
    const store = new MemoryStore();
    ipam(store).allocate('a');
    expect(ipam(store, 24, NETWORK + 256).size).toBe(0);
  });

  test('never gives one address to two owners, nor one outside the range', () => {
    const operation = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 12 }));
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 200 }),
        fc.integer({ min: 0, max: 199 }),
        (operations, restartAt) => {
          const store = new MemoryStore();
          let pool = ipam(store, 28);
          const held = new Map<string, number>();
          operations.forEach(([take, number], index) => {
            if (index === restartAt) pool = ipam(store, 28);
            const owner = `pod-${number}`;
            if (take) held.set(owner, pool.allocate(owner));
            else {
              pool.release(owner);
              held.delete(owner);
            }
            expect(new Set(held.values()).size).toBe(held.size);
            for (const address of held.values()) {
              expect(address).toBeGreaterThan(NETWORK + 1);
              expect(address).toBeLessThan(NETWORK + 15);
            }
          });
        },
      ),
    );
  });
});
