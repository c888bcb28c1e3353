import { describe, expect, it } from 'vitest';
import { parseAddress, parsePrefix } from '../../../shared/wire/ip-address.ts';
import { PacketFacts } from '../packet-facts.ts';
import { IpSet } from './ip-set.ts';
import { OwnedSets } from './owned-sets.ts';

const source = (text: string) => parsePrefix(text)!;

function from(address: string): PacketFacts {
  return Object.assign(new PacketFacts(), { source: parseAddress(address) });
}

describe('hash:net', () => {
  it.each([
    ['10.0.0.1', true],
    ['10.1.0.1', false],
    ['10.1.2.3', true],
    ['11.0.0.1', false],
  ])('the longest prefix decides on %s', (address, isIn) => {
    const set = new IpSet('hash:net');
    set.change({
      type: 'hash:net',
      add: [
        { source: source('10.1.0.0/16'), nomatch: true },
        { source: source('10.0.0.0/8') },
        { source: source('10.1.2.0/24') },
      ],
    });
    expect(set.has(from(address), ['src'])).toBe(isIn);
  });

  it('forgets what is removed', () => {
    const set = new IpSet('hash:net');
    const entry = { source: source('10.0.0.0/8') };
    set.change({ type: 'hash:net', add: [entry] });
    expect(set.has(from('10.0.0.1'), ['src'])).toBe(true);
    set.change({ type: 'hash:net', remove: [entry] });
    expect(set.has(from('10.0.0.1'), ['src'])).toBe(false);
  });
});

describe('sets of several owners', () => {
  it('go with their owner', () => {
    const sets = new OwnedSets();
    const entry = { address: parseAddress('10.0.0.1')! };
    sets.apply('weave', { one: { type: 'hash:ip', add: [entry] } });
    sets.apply('kube-router', { two: { type: 'hash:ip', add: [entry] } });
    sets.forget('weave');
    expect(sets.list().map(([name]) => name)).toEqual(['two']);
    expect(sets.find('two')!.has(from('10.0.0.1'), ['src'])).toBe(true);
  });
});
