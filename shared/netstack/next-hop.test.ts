import { describe, expect, it } from 'vitest';
import { NextHopTable } from './next-hop.ts';

describe('NextHopTable', () => {
  it('gives routes that lead the same way one next hop, until the last of them is gone', () => {
    const table = new NextHopTable();
    const first = table.share({ device: null, gateway: 1, mtuBytes: 0 });
    expect(table.share({ device: null, gateway: 1, mtuBytes: 0 })).toBe(first);
    const smaller = table.share({ device: null, gateway: 1, mtuBytes: 1400 });
    expect(smaller).not.toBe(first);
    expect(table.size).toBe(2);
    table.release(first);
    expect(table.share({ device: null, gateway: 1, mtuBytes: 0 })).toBe(first);
    table.release(first);
    table.release(first);
    table.release(smaller);
    expect(table.size).toBe(0);
    expect(() => table.release(first)).toThrow('no route has');
  });
});
