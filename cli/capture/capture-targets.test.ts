import type { Pod } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import { captureTargets } from './capture-targets.ts';

const NODES = ['worker-1', 'worker-2'];
const pods: Readonly<Record<string, Pod>> = {
  'default/web': { spec: { containers: [], nodeName: 'worker-1' }, status: { podIP: '10.244.1.5' } },
  'shop/db': { spec: { containers: [], nodeName: 'worker-2' }, status: { podIP: '10.244.2.7' } },
  'default/new': { spec: { containers: [] } },
  'kube-system/proxy': {
    spec: { containers: [], nodeName: 'worker-1', hostNetwork: true },
    status: { podIP: '192.168.1.10' },
  },
};

async function targets(nodes: readonly string[], wanted: readonly string[]) {
  const find = async (name: string, namespace: string) => pods[`${namespace}/${name}`]!;
  const selection = { nodes, pods: wanted, namespace: 'default', filter: 'tcp' };
  const found = await captureTargets(selection, NODES, find);
  return found.map(({ node, request }) => [node, request.node, request.pods, request.dropsOf]);
}

describe('what a capture asks of each node', () => {
  it('is everything, when nothing is named', async () => {
    expect(await targets([], [])).toEqual([
      ['worker-1', true, [], []],
      ['worker-2', true, [], []],
    ]);
    expect(await targets(['worker-2'], [])).toEqual([['worker-2', true, [], []]]);
  });

  it('is a pod where it runs, and elsewhere what is dropped of its packets', async () => {
    expect(await targets([], ['web', 'shop/db'])).toEqual([
      ['worker-1', false, ['default/web'], ['10.244.1.5', '10.244.2.7']],
      ['worker-2', false, ['shop/db'], ['10.244.1.5', '10.244.2.7']],
    ]);
    expect(await targets(['worker-1'], ['shop/db'])).toEqual([
      ['worker-1', true, [], ['10.244.2.7']],
      ['worker-2', false, ['shop/db'], ['10.244.2.7']],
    ]);
  });

  it('is refused with what to do instead', async () => {
    await expect(targets(['worker-9'], [])).rejects.toThrow("no node 'worker-9' runs");
    await expect(targets([], ['new'])).rejects.toThrow('kubectl describe pod new -n default');
    await expect(targets([], ['kube-system/proxy'])).rejects.toThrow('podwire capture --node worker-1');
  });
});
