import type { Pod, PodStatus } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import type { ApiClient, Patch } from '../../shared/bus/api-client.ts';
import { FakeClock } from '../../shared/runtime/clock.ts';
import { silentLogger } from '../../shared/runtime/log.ts';
import { StatusWriter } from './status-writer.ts';

const READY: PodStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
const UNREADY: PodStatus = { phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] };

function setUp() {
  let revision = 10;
  const written: (string | undefined)[] = [];
  const whileWriting: (() => void)[] = [];
  // The rest of the client is not used here.
  const api = {
    patch: async (_resource: unknown, _name: string, _namespace: string, { body }: Patch) => {
      const { status } = (body as () => Pod)();
      written.push(status?.conditions?.find(({ type }) => type === 'Ready')?.status);
      whileWriting.shift()?.();
      return { metadata: { resourceVersion: String(++revision) } };
    },
  } as unknown as ApiClient;
  const pod: Pod = { metadata: { name: 'web', namespace: 'default', uid: 'u' } };
  const writer = new StatusWriter(pod, api, new FakeClock(), silentLogger());
  const seen = (resourceVersion: number, ready: string): Pod => ({
    metadata: { ...pod.metadata, resourceVersion: String(resourceVersion) },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready }] },
  });
  return { writer, written, whileWriting, seen };
}

describe('the status of a pod', () => {
  it('takes the place of the addresses of an earlier sandbox', async () => {
    const bodies: unknown[] = [];
    const patch = async (_resource: unknown, _name: string, _namespace: string, { body }: Patch) => {
      bodies.push((body as () => Pod)().status?.podIPs);
      return { metadata: { resourceVersion: '11' } };
    };
    const pod: Pod = { metadata: { name: 'web', namespace: 'default', uid: 'u' } };
    // The rest of the client is not used here.
    const writer = new StatusWriter(pod, { patch } as unknown as ApiClient, new FakeClock(), silentLogger());
    writer.offer({ ...READY, podIP: '10.244.1.5', podIPs: [{ ip: '10.244.1.5' }] });
    await writer.flushed();
    expect(bodies).toEqual([[{ $patch: 'replace' }, { ip: '10.244.1.5' }]]);
  });

  it('is written once, and not again for what was there before', async () => {
    const { writer, written, seen } = setUp();
    writer.offer(READY);
    writer.offer({ ...READY });
    await writer.flushed();
    writer.observe(seen(9, 'False'));
    writer.observe(seen(11, 'True'));
    await writer.flushed();
    expect(written).toEqual(['True']);
  });

  it.each(['while nothing is written', 'while it is written'])(
    'is put right when another changes it %s',
    async (when) => {
      const { writer, written, seen } = setUp();
      writer.offer(READY);
      if (when === 'while nothing is written') await writer.flushed();
      writer.observe(seen(12, 'False'));
      await writer.flushed();
      expect(written).toEqual(['True', 'True']);
    },
  );

  it('is written again when it goes back while the change is on its way', async () => {
    const { writer, written, whileWriting } = setUp();
    writer.offer(READY);
    await writer.flushed();
    whileWriting.push(() => writer.offer(READY));
    writer.offer(UNREADY);
    await writer.flushed();
    expect(written).toEqual(['True', 'False', 'True']);
  });

  it('is left alone once the pod is gone', async () => {
    const { writer, written, seen } = setUp();
    writer.offer(READY);
    await writer.flushed();
    writer.close();
    writer.observe(seen(12, 'False'));
    await writer.flushed();
    expect(written).toEqual(['True']);
  });
});
