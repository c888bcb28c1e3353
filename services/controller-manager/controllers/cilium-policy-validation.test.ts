import { expect, it } from 'vitest';
import { CILIUMNETWORKPOLICIES } from '../../../shared/api/resources.ts';
import { reconcileCiliumPolicy } from './cilium-policy-validation.ts';

const MS = Date.parse('2026-01-02T03:04:05Z');
const metadata = { name: 'web', namespace: 'shop', uid: '1', resourceVersion: '1', creationTimestamp: '' };
const rule = (http: object) => ({ ingress: [{ toPorts: [{ ports: [{ port: '80' }], rules: { http: [http] } }] }] });
const reconcile = (spec: object, conditions: { type: string; status: string; message: string }[] = []) =>
  reconcileCiliumPolicy({ policy: { metadata, spec, status: { conditions } }, resource: CILIUMNETWORKPOLICIES }, MS)
    .actions;

it('says of a policy that it is valid, once', () => {
  const message = 'Policy validation succeeded';
  expect(reconcile(rule({ path: '/v1/.*' }))).toMatchObject([
    {
      kind: 'patch',
      subresource: 'status',
      name: 'web',
      namespace: 'shop',
      body: {
        status: {
          conditions: [{ type: 'Valid', status: 'True', message, lastTransitionTime: '2026-01-02T03:04:05Z' }],
        },
      },
    },
  ]);
  expect(reconcile(rule({}), [{ type: 'Valid', status: 'True', message }])).toEqual([]);
});

it.each([
  ['/(', 'missing closing ): `/(`'],
  ['/(?=v)', 'invalid or unsupported Perl syntax: `(?=`'],
])('names an expression that is none: %s', (path, why) => {
  const message = `invalid path "${path}": error parsing regexp: ${why}`;
  expect(reconcile(rule({ method: 'GET', path }))).toMatchObject([
    { body: { status: { conditions: [{ status: 'False', message }] } } },
  ]);
});
