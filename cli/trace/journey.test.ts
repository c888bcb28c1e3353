import { describe, expect, it } from 'vitest';
import { decodeHops, type Hop } from './hop.ts';
import { assembleJourney, journeyText } from './journey.ts';

const hop = (timeUs: number, node: string, packet: string): Hop => ({
  timeUs,
  node,
  stage: 'cni0',
  event: 'received',
  packet,
});

describe('journeys', () => {
  it('puts the hops of all nodes in the order of time', () => {
    const journey = assembleJourney([[hop(30, 'worker-2', 'b')], [hop(10, 'worker-1', 'a'), hop(45, 'worker-1', 'b')]]);
    expect(journey.hops.map(({ timeUs }) => timeUs)).toEqual([10, 30, 45]);
    expect(journey.durationUs).toBe(35);
  });

  it('names a packet once for its consecutive hops', () => {
    const text = journeyText(assembleJourney([[hop(1000, 'w', 'SYN'), hop(1250, 'w', 'SYN'), hop(2000, 'w', 'ACK')]]));
    expect(text.split('\n')).toEqual([
      '  SYN',
      '    0.000 ms     +0 us  w  cni0  received',
      '    0.250 ms   +250 us  w  cni0  received',
      '  ACK',
      '    1.000 ms   +750 us  w  cni0  received',
    ]);
  });

  it('says so when nothing was seen', () => {
    expect(journeyText(assembleJourney([[]]))).toBe('no packet was seen');
  });

  it('refuses what is no trace', () => {
    expect(() => decodeHops({ hops: [{ timeUs: 'soon' }] })).toThrow('something else');
    expect(() => decodeHops({})).toThrow('without hops');
  });
});
