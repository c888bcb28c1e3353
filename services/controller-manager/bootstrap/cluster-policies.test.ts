import { describe, expect, it } from 'vitest';
import { ruleCheckErrors } from '../../../shared/api/custom-resource/rule-check.ts';
import { ruleErrors } from '../../../shared/api/custom-resource/rules.ts';
import type { StructuralSchema } from '../../../shared/api/custom-resource/structural-schema.ts';
import { schemaErrors } from '../../../shared/api/custom-resource/validate.ts';
import type { JsonObject } from '../../../shared/api/object.ts';
import { clusterPolicyDefinitions } from './cluster-policies.ts';

interface Definition {
  readonly spec: {
    readonly names: { readonly kind: string };
    readonly versions: readonly [{ readonly schema: { readonly openAPIV3Schema: StructuralSchema } }];
  };
}

const schemas = new Map(
  clusterPolicyDefinitions().map(({ object }) => {
    const { spec } = object as unknown as Definition; // as this folder writes them
    return [spec.names.kind, spec.versions[0].schema.openAPIV3Schema] as const;
  }),
);
const subject = { namespaces: {} };
const namespaces = [{ namespaces: {} }];

function errorsOf(kind: string, spec: JsonObject, name = 'default'): string[] {
  const resource = { apiVersion: 'v', kind, metadata: { name }, spec };
  const schema = schemas.get(kind)!;
  const found = schemaErrors(resource, schema);
  return [...found, ...ruleErrors(resource, undefined, schema, found)].map(
    ({ field, message }) => `${field}: ${message}`,
  );
}

const admin = (rule: JsonObject) => errorsOf('AdminNetworkPolicy', { priority: 1, subject, egress: [rule] });
const cluster = (rule: JsonObject) =>
  errorsOf('ClusterNetworkPolicy', { tier: 'Admin', priority: 1, subject, egress: [{ action: 'Deny', ...rule }] });

describe('definitions of cluster-wide policies', () => {
  it.each([...schemas])('the rules of %s can be evaluated', (_, schema) => {
    expect(ruleCheckErrors(schema, 'schema')).toEqual([]);
  });

  it('take what the API takes', () => {
    const ports = [{ portRange: { start: 1, end: 2 } }, { namedPort: 'web' }];
    expect(admin({ action: 'Pass', to: namespaces, ports })).toEqual([]);
    expect(admin({ action: 'Deny', to: [{ networks: ['10.0.0.0/8', 'fd00::/8'] }, { nodes: {} }] })).toEqual([]);
    expect(
      cluster({ to: namespaces, protocols: [{ tcp: { destinationPort: { range: { start: 1, end: 9 } } } }] }),
    ).toEqual([]);
    expect(errorsOf('BaselineAdminNetworkPolicy', { subject })).toEqual([]);
  });

  it('refuse what it refuses, in its words', () => {
    expect(errorsOf('BaselineAdminNetworkPolicy', { subject }, 'other')).toEqual([
      expect.stringContaining('Only one baseline admin network policy with metadata.name="default" can be created'),
    ]);
    expect(admin({ action: 'Deny', to: [{ networks: ['10.0.0.0/99'] }] })).toEqual([
      expect.stringMatching(/^spec.egress\[0\].to\[0\].networks\[0\]: .*Invalid CIDR format provided$/),
    ]);
    expect(admin({ action: 'Deny', to: namespaces, ports: [{ portRange: { start: 9, end: 9 } }] })).toEqual([
      expect.stringMatching(/Start port must be less than End port$/),
    ]);
    const named = { to: [{ nodes: {} }], protocols: [{ destinationNamedPort: 'web' }] };
    expect(cluster(named)).toEqual([expect.stringMatching(/peer cannot be set with namedPorts/)]);
    expect(cluster({ to: namespaces, protocols: [{ tcp: {} }] })).toEqual([
      expect.stringMatching(/at least 1 properties/),
    ]);
    expect(cluster({ to: Array.from({ length: 26 }, () => ({ namespaces: {} })) })).toEqual([
      expect.stringMatching(/must have at most 25 items/),
      expect.anything(), // and that rules were not checked
    ]);
  });

  it('say that domain names are not enforced', () => {
    const to = [{ domainNames: ['*.example.com'] }];
    expect(admin({ action: 'Allow', to })).toEqual([
      expect.stringMatching(/domainNames: this emulation does not enforce/),
    ]);
    expect(cluster({ action: 'Accept', to })).toEqual([
      expect.stringMatching(/domainNames: this emulation does not enforce/),
    ]);
  });
});
