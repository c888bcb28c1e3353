import type { Node } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../../shared/api/live.ts';
import { CNI_ANNOTATION, installedOn } from '../../../shared/runtime/cni-plugins.ts';
import { meta } from '../objects.testkit.ts';
import { NOT_ENFORCED_ANNOTATION, reconcileUnenforcedPolicy } from './unenforced-policy.ts';

function policy(annotations?: Record<string, string>): Live<NetworkPolicy> {
  return { metadata: meta('deny', { namespace: 'shop', annotations }), spec: { podSelector: {} } };
}

describe('reconcileUnenforcedPolicy', () => {
  it('says once that flannel does not enforce a policy', () => {
    const { actions } = reconcileUnenforcedPolicy({ policy: policy(), cni: 'flannel' });
    expect(actions).toMatchObject([
      { kind: 'patch', name: 'deny', namespace: 'shop' },
      { kind: 'event', type: 'Warning', reason: 'NetworkPolicyNotEnforced', about: { name: 'deny' } },
    ]);
    const [note] = actions;
    const body = note?.kind === 'patch' ? note.body : undefined;
    const { annotations } = (body as { metadata: { annotations: Record<string, string> } }).metadata;
    expect(annotations[NOT_ENFORCED_ANNOTATION]).toContain("'flannel'");
    expect(reconcileUnenforcedPolicy({ policy: policy(annotations), cni: 'flannel' }).actions).toEqual([]);
  });

  it('goes by what was installed into a cluster that had no network', () => {
    const node = (name: string, cni?: string): Live<Node> => ({
      spec: {},
      status: {},
      metadata: meta(name, { annotations: cni === undefined ? {} : { [CNI_ANNOTATION]: cni } }),
    });
    expect(installedOn([node('a'), node('b')])).toBe('none');
    expect(installedOn([node('a'), node('b', 'flannel')])).toBe('flannel');
    expect(installedOn([node('a', 'flannel'), node('b', 'calico')])).toBe('calico');
  });

  it('takes the note back where policies are enforced', () => {
    expect(reconcileUnenforcedPolicy({ policy: policy(), cni: 'canal' }).actions).toEqual([]);
    const noted = policy({ [NOT_ENFORCED_ANNOTATION]: 'no' });
    expect(reconcileUnenforcedPolicy({ policy: noted, cni: 'canal' }).actions).toMatchObject([
      { kind: 'patch', body: { metadata: { annotations: { [NOT_ENFORCED_ANNOTATION]: null } } } },
    ]);
  });
});
