import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interfaceLimits, maxPodsOf } from '../../../shared/runtime/instance-types.ts';
import { parseIpv4Prefix } from '../../../shared/wire/address.ts';
import type { Leases } from '../ipam/host-local.ts';
import { COOLDOWN_US, Ipamd, type IpamdOptions } from './ipamd.ts';
import { warmTargets } from './warm-targets.ts';

const T3_MEDIUM = interfaceLimits('t3.medium')!;
const BLOCK = parseIpv4Prefix('10.244.1.0/24')!;
const EXHAUSTED = 'failed to assign an IP address to container';

class Machine {
  nowUs = 0;
  readonly events: string[] = [];
  leases: Leases | undefined;

  ipamd(environment: Record<string, string> = {}, options: Partial<IpamdOptions> = {}): Ipamd {
    return new Ipamd({
      block: BLOCK,
      limits: T3_MEDIUM,
      warm: warmTargets(environment),
      store: {
        load: () => this.leases,
        save: (leases) => {
          this.leases = leases;
        },
      },
      nowUs: () => this.nowUs,
      attached: (number, primary) => this.events.push(`+eth${number} .${primary & 255}`),
      detached: (number) => this.events.push(`-eth${number}`),
      ...options,
    });
  }
}

/** Addresses for pods by interface. */
function sizes(ipamd: Ipamd): number[] {
  return [...ipamd.pool.values()].map(({ size }) => size);
}

function take(ipamd: Ipamd, count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, i) => ipamd.allocate(`pod-${first + i}`) & 255);
}

describe('ipamd', () => {
  it('has an interface more than pods need', () => {
    const machine = new Machine();
    const ipamd = machine.ipamd();
    expect(sizes(ipamd)).toEqual([5]);
    expect(take(ipamd, 1)).toEqual([2]);
    expect(machine.events).toEqual(['+eth1 .7']);
    expect(take(ipamd, 5, 1)).toEqual([3, 4, 5, 6, 8]);
    expect(machine.events).toEqual(['+eth1 .7', '+eth2 .13']);
  });

  it('has addresses for all pods but the two of the node’s own network', () => {
    const ipamd = new Machine().ipamd();
    take(ipamd, maxPodsOf(T3_MEDIUM) - 2);
    expect(() => ipamd.allocate('one more')).toThrow(EXHAUSTED);
    expect(maxPodsOf(T3_MEDIUM)).toBe(17);
  });

  it('lets an address cool down for 30 seconds', () => {
    const machine = new Machine();
    const ipamd = machine.ipamd();
    take(ipamd, 15);
    ipamd.release('pod-3');
    expect(() => ipamd.allocate('next')).toThrow(EXHAUSTED);
    expect(ipamd.nextCooledUs).toBe(COOLDOWN_US);
    machine.nowUs = COOLDOWN_US;
    ipamd.adjust();
    expect(ipamd.allocate('next') & 255).toBe(5);
    expect(ipamd.nextCooledUs).toBeUndefined();
  });

  it('gives interfaces back that nothing needs', () => {
    const machine = new Machine();
    const ipamd = machine.ipamd();
    take(ipamd, 6);
    for (let i = 0; i < 6; i++) ipamd.release(`pod-${i}`);
    expect(sizes(ipamd)).toEqual([5, 5, 5]);
    machine.nowUs = COOLDOWN_US;
    ipamd.adjust();
    expect(machine.events.slice(2)).toEqual(['-eth2', '-eth1']);
  });

  it.each([
    [{ WARM_ENI_TARGET: '2' }, 0, [5, 5]],
    [{ WARM_ENI_TARGET: '0' }, 6, [5, 5]],
    [{ WARM_IP_TARGET: '2' }, 0, [2]],
    [{ WARM_IP_TARGET: '2' }, 4, [5, 1]],
    [{ WARM_IP_TARGET: '2', MINIMUM_IP_TARGET: '8' }, 4, [5, 3]],
    [{ MINIMUM_IP_TARGET: '3' }, 5, [5]],
    [{ MAX_ENI: '2' }, 6, [5, 5]],
  ] as const)('%j with %i pods', (environment, pods, expected) => {
    const ipamd = new Machine().ipamd(environment);
    take(ipamd, pods);
    expect(sizes(ipamd)).toEqual(expected);
  });

  it('gives addresses beyond the targets back', () => {
    const machine = new Machine();
    const ipamd = machine.ipamd({ WARM_IP_TARGET: '1' });
    take(ipamd, 8);
    for (let i = 2; i < 8; i++) ipamd.release(`pod-${i}`);
    machine.nowUs = COOLDOWN_US;
    ipamd.adjust();
    expect(sizes(ipamd)).toEqual([3]);
    expect(machine.events).toEqual(['+eth1 .7', '-eth1']);
  });

  it('has no more than its block', () => {
    const block = parseIpv4Prefix('10.244.1.0/28')!;
    const ipamd = new Machine().ipamd({}, { block });
    expect(take(ipamd, 11)).toEqual([2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 14]);
    expect(() => ipamd.allocate('one more')).toThrow(EXHAUSTED);
  });

  it('has pods behind the same interfaces after a restart', () => {
    const machine = new Machine();
    const before = machine.ipamd();
    take(before, 8);
    const after = machine.ipamd();
    after.retainOnly(new Set(['pod-7']));
    expect(after.allocate('pod-7') & 255).toBe(10);
    expect(after.interfaceOf(after.allocate('pod-7'))).toBe(1);
    expect(() => take(after, 15, 20)).toThrow(EXHAUSTED);
  });

  it('never gives one address to two pods, nor one that cools down', () => {
    const action = fc.tuple(fc.nat(20), fc.boolean(), fc.nat(20_000_000));
    const environments: Record<string, string>[] = [
      {},
      { WARM_IP_TARGET: '2' },
      { WARM_ENI_TARGET: '0' },
      { MINIMUM_IP_TARGET: '6' },
    ];
    fc.assert(
      fc.property(fc.array(action, { maxLength: 100 }), fc.constantFrom(...environments), (actions, environment) => {
        const machine = new Machine();
        const ipamd = machine.ipamd(environment);
        const held = new Map<string, number>();
        const freedUs = new Map<number, number>();
        for (const [number, takes, passedUs] of actions) {
          machine.nowUs += passedUs;
          const owner = `pod-${number}`;
          if (takes) {
            const known = held.get(owner);
            const address = attempt(() => ipamd.allocate(owner));
            if (address === undefined) continue;
            if (known === undefined) {
              expect([...held.values()]).not.toContain(address);
              expect(machine.nowUs - (freedUs.get(address) ?? -COOLDOWN_US)).toBeGreaterThanOrEqual(COOLDOWN_US);
            } else expect(address).toBe(known);
            held.set(owner, address);
          } else {
            const address = held.get(owner);
            if (address !== undefined) freedUs.set(address, machine.nowUs);
            held.delete(owner);
            ipamd.release(owner);
          }
          for (const address of held.values()) {
            expect(ipamd.pool.get(ipamd.interfaceOf(address))?.has(address)).toBe(true);
          }
        }
      }),
    );
  });
});

function attempt(call: () => number): number | undefined {
  try {
    return call();
  } catch (error) {
    expect(String(error)).toContain(EXHAUSTED);
    return undefined;
  }
}
