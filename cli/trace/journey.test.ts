import { describe, expect, it } from 'vitest';
import { decodeHops, type Hop } from './hop.ts';
import { assembleJourney, essentials, journeyText, withoutRules } from './journey.ts';

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

  it('has a line a hop, with its time since the start and since the one before', () => {
    const text = journeyText(assembleJourney([[hop(1000, 'w', 'SYN'), hop(1250, 'w', 'SYN'), hop(3000, 'w', 'ACK')]]));
    expect(text.split('\n')).toEqual([
      '    0.000 ms     +0 us  w  cni0  received  SYN',
      '    0.250 ms   +250 us  w  cni0  received  SYN',
      '    2.000 ms  +1750 us  w  cni0  received  ACK',
    ]);
  });

  it('can leave out rules, and all but the telling hops', () => {
    const at = (stage: string, event: string, packet: string): Hop => ({ timeUs: 0, node: 'w', stage, event, packet });
    const journey = assembleJourney([
      [
        at('veth1', 'received', 'TCP a > b [SYN]'),
        at('PREROUTING', 'in cni0', 'TCP a > b [SYN]'),
        at('nat PREROUTING', '-A PREROUTING -j KUBE-SERVICES', 'TCP a > b [SYN]'),
        at('nat PREROUTING', 'DNAT b -> c', 'TCP a > c [SYN]'),
        at('flannel.1', 'encapsulated for w2', 'TCP a > c [SYN]'),
        at('veth1', 'received', 'TCP a > b [ACK]'),
      ],
    ]);
    expect(withoutRules(journey).hops).toHaveLength(5);
    expect(essentials(journey).hops.map(({ event }) => event)).toEqual([
      'received',
      'DNAT b -> c',
      'encapsulated for w2',
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
