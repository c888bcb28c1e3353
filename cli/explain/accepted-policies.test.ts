import { expect, it } from 'vitest';
import { NETWORKPOLICIES } from '../../shared/api/resources.ts';
import { badRequest } from '../../shared/api/status.ts';
import { acceptedPolicies } from './accepted-policies.ts';
import type { PolicyObject } from './cluster-objects.ts';

function policy(name: string, resourceVersion?: string): PolicyObject {
  return { resource: NETWORKPOLICIES, object: { metadata: { namespace: 'shop', name, resourceVersion } } };
}

/** Keeps what it is asked, and gives it back as it would be stored. */
function recorder() {
  const asked: string[] = [];
  const record =
    (verb: string) =>
    async <T>(_: unknown, object: T, options?: { readonly tryOut?: boolean }): Promise<T> => {
      const { name, resourceVersion = '-' } = (object as PolicyObject['object']).metadata ?? {};
      asked.push(`${verb} ${name} ${resourceVersion} ${options?.tryOut}`);
      if (name === 'bad') throw badRequest('it is bad');
      return { ...object, spec: { podSelector: {} } };
    };
  return { asked, api: { create: record('create'), update: record('update') } };
}

it('tries to create what is not there, and to update what is', async () => {
  const { asked, api } = recorder();
  const accepted = await acceptedPolicies(api, 'file.yaml', [policy('old', '7')], [policy('old'), policy('new')]);
  expect(asked).toEqual(['update old 7 true', 'create new - true']);
  expect(accepted.map(({ object }) => object)).toMatchObject([{ spec: {} }, { spec: {} }]);
});

it("refuses what would be refused, in the apiserver's words", async () => {
  const { api } = recorder();
  await expect(acceptedPolicies(api, '-', [], [policy('bad')])).rejects.toThrow(
    'standard input: NetworkPolicy bad would not be accepted: it is bad',
  );
});
