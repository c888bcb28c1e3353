import { expect, it } from 'vitest';
import { parseIpv4 } from '../wire/address.ts';
import { type EnforcementMode, inMode } from './cilium-enforcement.ts';
import { ciliumPoliciesOf } from './cilium-policy.ts';
import { PolicyCompiler } from './compile.ts';
import { decide } from './endpoint-policy.ts';
import type { PolicyPod } from './policy-pod.ts';

const TCP = 6;
const WORLD = parseIpv4('8.8.8.8')!;
const pod = (name: string): PolicyPod => ({
  uid: name,
  namespace: 'shop',
  name,
  labels: { app: name },
  nodeName: 'worker-1',
  addresses: [parseIpv4(name === 'web' ? '10.244.1.2' : '10.244.1.3')!],
  ports: [],
});

/** May the pod get from the world, may it send there. */
function fate(mode: EnforcementMode, name: string): string {
  const spec = {
    endpointSelector: { matchLabels: { app: 'web' } },
    ingress: [{ fromEntities: ['world'] }],
    egress: [{}],
  };
  const policies = inMode(
    ciliumPoliciesOf('CiliumNetworkPolicy', { metadata: { name: 'p', namespace: 'shop' }, spec }),
    mode,
  );
  const state = { policies, pods: [pod('web'), pod('other')], namespaces: new Map(), blocksAreOutside: true };
  const policy = new PolicyCompiler(state).endpoint(pod(name));
  return [policy?.ingress, policy?.egress]
    .map((side) => (side == null || decide(side, WORLD, TCP, 80).drop === null ? 'yes' : 'no'))
    .join(' ');
}

it.each<[EnforcementMode, string, string]>([
  ['default', 'web', 'yes no'],
  ['default', 'other', 'yes yes'],
  ['always', 'web', 'yes no'],
  ['always', 'other', 'no no'],
  ['never', 'web', 'yes yes'],
  ['never', 'other', 'yes yes'],
])('%s: %s gets and sends: %s', (mode, name, expected) => {
  expect(fate(mode, name)).toBe(expected);
});
