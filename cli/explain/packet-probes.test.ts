import { expect, it } from 'vitest';
import type { PacketProbeReply } from '../../shared/bus/packet-probe.ts';
import { assembleJourney } from '../trace/journey.ts';
import { textOf, type WantedProbe } from './packet-probes.ts';

const probe: WantedProbe = {
  client: { metadata: { namespace: 'shop', name: 'client' } },
  protocol: 'tcp',
  address: '10.244.2.7',
  port: 8080,
  servers: [],
};
const PACKET = 'TCP 10.244.1.5:40000 > 10.244.2.7:8080 [SYN] ttl 63, 40 bytes';

function told(reply: PacketProbeReply, ...hops: (readonly [stage: string, event: string, packet?: string])[]): string {
  const placed = hops.map(([stage, event, packet = PACKET], timeUs) => ({
    timeUs,
    node: 'worker-2',
    stage,
    event,
    packet,
  }));
  return textOf(probe, reply, placed.length === 0 ? undefined : assembleJourney([placed]));
}

it('says what answered', () => {
  expect(told({ outcome: 'answered', rttUs: 420 })).toBe('was answered in 0.42 ms');
  expect(told({ outcome: 'refused' })).toBe('was refused with a reset: nothing listens at 10.244.2.7:8080');
  expect(told({ outcome: 'unsent', detail: 'ENETUNREACH' })).toBe(
    'could not be sent: pod shop/client says ENETUNREACH',
  );
  expect(told({ outcome: 'timeout' })).toBe('was not answered');
});

it('says where it was lost, by the hops of that protocol', () => {
  const arp = ['cni0', 'dropped: arp', 'ARP who has'] as const;
  expect(told({ outcome: 'timeout' }, arp, ['worker-2 forward', 'dropped: rule-drop by filter FORWARD rule 1'])).toBe(
    'was dropped on worker-2 at forward: rule-drop by filter FORWARD rule 1',
  );
  expect(told({ outcome: 'timeout' }, ['flannel.1', 'encapsulated for worker-3'], ['nft t c', 'return'])).toBe(
    'was not answered; it was last seen on worker-2 at flannel.1, encapsulated for worker-3',
  );
  expect(told({ outcome: 'timeout' }, ['outside ip-forward', 'dropped: not-forwarding'])).toBe(
    'left the cluster by the default route of worker-2',
  );
  expect(told({ outcome: 'unreachable', detail: '10.244.1.1' })).toBe(
    'found its destination unreachable, says 10.244.1.1',
  );
});
