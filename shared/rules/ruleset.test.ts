import { describe, expect, it } from 'vitest';
import { comment, destinationPort } from './match.ts';
import type { Rule } from './rule.ts';
import { applyTransaction, emptyRuleset, type Ruleset } from './ruleset.ts';
import { jump, orMark } from './target.ts';
import type { RulesTransaction } from './transaction.ts';

const boot = 'boot-1';
const portals: Rule = { matches: [comment('kubernetes service portals')], target: jump('KUBE-SERVICES') };

function full(tables: RulesTransaction['tables'], owner = 'kube-proxy'): RulesTransaction {
  return { owner, bootId: boot, base: null, tables };
}

function applied(ruleset: Ruleset, transaction: RulesTransaction): Ruleset {
  const { ruleset: after, reply } = applyTransaction(ruleset, transaction);
  expect(reply).toMatchObject({ kind: 'applied' });
  return after;
}

const first = full({
  nat: {
    set: { 'KUBE-SERVICES': [], 'KUBE-MARK-MASQ': [{ target: orMark(0x4000) }] },
    hooks: [{ chain: 'PREROUTING', position: 'first', rule: portals }],
  },
});

describe('applyTransaction', () => {
  it('makes chains and hooks and counts generations', () => {
    const { ruleset, reply } = applyTransaction(emptyRuleset(boot), first);
    expect(reply).toEqual({ kind: 'applied', bootId: boot, generation: 1 });
    expect([...ruleset.tables.nat.chains.keys()].slice(4)).toEqual(['KUBE-SERVICES', 'KUBE-MARK-MASQ']);
    expect(ruleset.tables.nat.chains.get('PREROUTING')?.rules).toEqual([portals]);
  });

  it('keeps chains that are not named, and the very objects of those that did not change', () => {
    const before = applied(emptyRuleset(boot), first);
    const after = applied(before, {
      owner: 'kube-proxy',
      bootId: boot,
      base: 1,
      tables: { nat: { set: { 'KUBE-SERVICES': [], 'KUBE-SEP-A': [] } } },
    });
    expect(after.tables.nat.chains.get('KUBE-MARK-MASQ')).toBe(before.tables.nat.chains.get('KUBE-MARK-MASQ'));
    expect(after.tables.nat.chains.get('KUBE-SERVICES')).toBe(before.tables.nat.chains.get('KUBE-SERVICES'));
    expect(after.tables.nat.chains.get('PREROUTING')?.rules).toEqual([portals]);
    expect(after.tables.filter).toBe(before.tables.filter);
  });

  it.each([
    ['another boot', { bootId: 'boot-0', base: 1 }],
    ['an older generation', { bootId: boot, base: 0 }],
    ['a later generation', { bootId: boot, base: 2 }],
  ])('answers resync to %s and changes nothing', (_, against) => {
    const before = applied(emptyRuleset(boot), first);
    const { ruleset, reply } = applyTransaction(before, { owner: 'kube-proxy', tables: {}, ...against });
    expect(reply.kind).toBe('resync');
    expect(ruleset).toBe(before);
  });

  it('a full transaction replaces what the owner had, and only that', () => {
    let ruleset = applied(emptyRuleset(boot), first);
    ruleset = applied(ruleset, full({ nat: { set: { 'FLANNEL-POSTRTG': [] } } }, 'flannel'));
    ruleset = applied(ruleset, full({ nat: { set: { 'KUBE-NODEPORTS': [] } } }));
    expect([...ruleset.tables.nat.chains.keys()].slice(4)).toEqual(['FLANNEL-POSTRTG', 'KUBE-NODEPORTS']);
    expect(ruleset.tables.nat.chains.get('PREROUTING')?.rules).toEqual([]);
  });

  it.each<[string, RulesTransaction['tables'], RegExp]>([
    ['a jump to nowhere', { nat: { set: { A: [{ target: jump('B') }] } } }, /jumps to chain B, which does not exist/],
    [
      'a circle',
      { nat: { set: { A: [{ target: jump('B') }], B: [{ target: { kind: 'goto', chain: 'A' } }] } } },
      /jumps in a circle through A -> B/,
    ],
    ['a jump to a built-in chain', { nat: { set: { A: [{ target: jump('OUTPUT') }] } } }, /built-in chain OUTPUT/],
    ['a built-in chain set', { filter: { set: { FORWARD: [] } } }, /add rules to it as hooks/],
    ['DNAT in filter', { filter: { set: { A: [{ target: { kind: 'dnat', address: 1 } }] } } }, /only in table nat/],
    ['REJECT in nat', { nat: { set: { A: [{ target: { kind: 'reject', with: 'tcp-reset' } }] } } }, /table filter/],
    ['a port without protocol', { nat: { set: { A: [{ matches: [destinationPort('tcp', 80)] }] } } }, /needs protocol/],
    ['a long name', { nat: { set: { [`K${'X'.repeat(28)}`]: [] } } }, /1 to 28 printable characters/],
  ])('refuses %s as a whole', (_, tables, message) => {
    const before = applied(emptyRuleset(boot), first);
    const { ruleset, reply } = applyTransaction(before, { ...first, base: 1, tables });
    expect(ruleset).toBe(before);
    expect(reply.kind === 'invalid' ? reply.problems.map((problem) => problem.message).join() : '').toMatch(message);
  });

  it('refuses to change or delete what another owner made, and to delete what is still called', () => {
    const before = applied(emptyRuleset(boot), first);
    const other = (tables: RulesTransaction['tables']) => applyTransaction(before, full(tables, 'flannel')).reply.kind;
    expect(other({ nat: { set: { 'KUBE-SERVICES': [] } } })).toBe('invalid');
    expect(other({ nat: { delete: ['KUBE-SERVICES'] } })).toBe('invalid');
    const { reply } = applyTransaction(before, { ...first, base: 1, tables: { nat: { delete: ['KUBE-SERVICES'] } } });
    expect(reply.kind).toBe('invalid');
  });
});
