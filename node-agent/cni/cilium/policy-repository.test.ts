import { expect, it } from 'vitest';
import { ciliumPoliciesOf } from '../../../shared/policy/cilium-policy.ts';
import { policyOf } from '../../../shared/policy/network-policy.ts';
import { PolicyRepository } from './policy-repository.ts';

const NAMESPACE = 'k8s:io.kubernetes.pod.namespace';
const metadata = { name: 'rule1', namespace: 'shop', uid: 'u1' };

function rules(repository: PolicyRepository): object[] {
  return JSON.parse(repository.text.replace(/Revision: \d+\n$/, ''));
}

it("shows a policy in its author's words, with what they mean", () => {
  const repository = new PolicyRepository();
  const toPorts = [{ ports: [{ port: '80', protocol: 'TCP' }] }];
  const spec = {
    description: 'empire ships only',
    endpointSelector: { matchLabels: { class: 'deathstar' } },
    ingress: [{ fromEndpoints: [{ matchLabels: { org: 'empire' } }], toPorts }],
  };
  const policies = ciliumPoliciesOf('CiliumNetworkPolicy', { metadata, spec });
  repository.follow(policies);
  expect(rules(repository)).toEqual([
    {
      description: 'empire ships only',
      endpointSelector: { matchLabels: { 'any:class': 'deathstar', [NAMESPACE]: 'shop' } },
      ingress: [{ fromEndpoints: [{ matchLabels: { 'any:org': 'empire', [NAMESPACE]: 'shop' } }], toPorts }],
      labels: [
        { key: 'io.cilium.k8s.policy.derived-from', value: 'CiliumNetworkPolicy', source: 'k8s' },
        { key: 'io.cilium.k8s.policy.name', value: 'rule1', source: 'k8s' },
        { key: 'io.cilium.k8s.policy.namespace', value: 'shop', source: 'k8s' },
        { key: 'io.cilium.k8s.policy.uid', value: 'u1', source: 'k8s' },
      ],
    },
  ]);
  expect(repository.text).toMatch(/\nRevision: 2\n$/);
  repository.follow(policies);
  expect(repository.revision).toBe(2);
  repository.follow([]);
  expect(repository.text).toBe('[]\nRevision: 3\n');
});

it('translates a NetworkPolicy', () => {
  const repository = new PolicyRepository();
  repository.follow([
    policyOf({
      metadata,
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        ingress: [
          {
            from: [
              { podSelector: { matchLabels: { app: 'client' } } },
              { namespaceSelector: { matchLabels: { team: 'red' } } },
              { ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } },
            ],
            ports: [{ port: 8080 }],
          },
        ],
        egress: [{}],
      },
    }),
  ]);
  expect(rules(repository)).toMatchObject([
    {
      endpointSelector: { matchLabels: { 'k8s:app': 'web', [NAMESPACE]: 'shop' } },
      ingress: [
        {
          fromEndpoints: [
            { matchLabels: { 'k8s:app': 'client', [NAMESPACE]: 'shop' } },
            { matchLabels: { 'k8s:io.cilium.k8s.namespace.labels.team': 'red' } },
          ],
          fromCIDRSet: [{ cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] }],
          toPorts: [{ ports: [{ port: '8080', protocol: 'TCP' }] }],
        },
      ],
      egress: [{ toEntities: ['all'] }],
    },
  ]);
});
