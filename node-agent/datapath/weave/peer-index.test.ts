import { describe, expect, it } from 'vitest';
import { Peer } from '../underlay.ts';
import { destinationOf, hopsOf, OWN_INDEX, PeerIndex, sourceOf, tunnelKey } from './peer-index.ts';
import { WeavePeer } from './weave-peer.ts';

const OWN = 0x0200_0000_0abc;

function world(...names: number[]) {
  const index = new PeerIndex(OWN);
  const peers = names.map((name, i) => {
    const underlay = new Peer(`worker-${i}`, i, { address: `127.0.1.${10 + i}`, port: 4789 });
    const peer = new WeavePeer(name, underlay, 0xc0a8_010a + i);
    index.add(peer);
    return peer;
  });
  return { index, peers };
}

describe('keys of frames in the tunnel device', () => {
  it('become the short identifiers of both peers on the wire, and those of the sender become it again', () => {
    const { index, peers } = world(0x0200_0000_0111, 0x0200_0000_0222);
    const [a, b] = peers as [WeavePeer, WeavePeer];
    expect(index.vniOf(tunnelKey(0, OWN_INDEX, a.index)).toString(16)).toBe('abc111');
    expect(index.vniOf(tunnelKey(3, a.index, b.index)).toString(16)).toBe('111222');
    const key = index.keyOf(a.underlay, 0x111abc, 2)!;
    expect([hopsOf(key), sourceOf(key), destinationOf(key)]).toEqual([2, a.index, OWN_INDEX]);
    expect(index.keyOf(a.underlay, 0x999abc, 0)).toBeUndefined();
    expect(index.keyOf(a.underlay, 0x111999, 0)).toBeUndefined();
  });

  it('tell two peers with one short identifier apart by who sends', () => {
    const { index, peers } = world(0x0200_0000_1111, 0x0200_0000_2111);
    const [a, b] = peers as [WeavePeer, WeavePeer];
    expect(sourceOf(index.keyOf(a.underlay, 0x111abc, 0)!)).toBe(a.index);
    expect(sourceOf(index.keyOf(b.underlay, 0x111abc, 0)!)).toBe(b.index);
  });

  it('numbers are given again', () => {
    const { index, peers } = world(0x0200_0000_0111, 0x0200_0000_0222);
    index.remove(peers[0]!);
    expect(index.named(0x0200_0000_0111)).toBeUndefined();
    const later = new WeavePeer(0x0200_0000_0333, peers[0]!.underlay, 1);
    expect(index.add(later)).toBe(true);
    expect(later.index).toBe(1);
    expect(index.behind(peers[0]!.underlay)).toBe(later);
  });
});
