import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REGISTRY } from '../registry.ts';
import { ApiError } from '../status.ts';
import { decodeObject, strictDecodingError, unknownFieldText } from './decode.ts';
import { findType, typeNamed, typeNames } from './schema.ts';

const POD = { kind: 'Pod', version: 'v1' };

function decodePod(spec: unknown) {
  return decodeObject({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec }, 'core.v1.Pod', POD);
}

function podSpec(spec: unknown): unknown {
  return decodePod(spec).object.spec;
}

describe('type table', () => {
  test('every served kind and every type it leads to is there', () => {
    for (const { schema } of REGISTRY) expect(findType(schema), schema).toBeDefined();
    for (const name of typeNames()) {
      for (const field of typeNamed(name).fields.values()) {
        let { type } = field;
        while (type.kind === 'list' || type.kind === 'map') type = type.element;
        if (type.kind === 'object') expect(findType(type.typeName), `${name}.${field.name}`).toBeDefined();
      }
    }
  });

  test('facts of one field', () => {
    const ports = typeNamed('core.v1.Container').fields.get('ports')!;
    expect(ports).toMatchObject({ protobufPath: [6], patchStrategies: ['merge'], mergeKey: 'containerPort' });
    expect(typeNamed('core.v1.Volume').fields.get('configMap')!.protobufPath).toEqual([2, 19]);
    expect(typeNamed('core.v1.ServicePort').fields.get('port')!.required).toBe(true);
  });
});

describe('decoding', () => {
  test('unknown fields are dropped and named by path', () => {
    const { object, unknownFields } = decodePod({ containers: [{ name: 'a', foo: 1 }], bar: {} });
    expect(unknownFields).toEqual(['spec.containers[0].foo', 'spec.bar']);
    expect(object.spec).toEqual({ containers: [{ name: 'a', resources: {} }] });
    expect(strictDecodingError(POD, unknownFields.map(unknownFieldText)).message).toBe(
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: ' +
        'unknown field "spec.containers[0].foo", unknown field "spec.bar"',
    );
  });

  test('zero values are kept where a pointer would hold them', () => {
    expect(podSpec({ containers: [], nodeName: '', hostNetwork: false, automountServiceAccountToken: false })).toEqual({
      containers: [],
      automountServiceAccountToken: false,
    });
  });

  test('nulls are absent, but zero values inside lists and maps', () => {
    expect(podSpec({ containers: [{ name: 'a', args: [null], env: null }], nodeSelector: { a: null } })).toEqual({
      containers: [{ name: 'a', args: [''], resources: {} }],
      nodeSelector: { a: '' },
    });
  });

  test('quantities and times become canonical', () => {
    const { object } = decodeObject(
      {
        metadata: { creationTimestamp: '2026-01-31T09:00:00.123+01:00' },
        spec: { containers: [{ name: 'a', resources: { limits: { cpu: 0.5, memory: '1024Mi' } } }] },
      },
      'core.v1.Pod',
      POD,
    );
    expect(object).toMatchObject({
      metadata: { creationTimestamp: '2026-01-31T08:00:00Z' },
      spec: { containers: [{ resources: { limits: { cpu: '500m', memory: '1Gi' } } }] },
    });
  });

  test.each([
    [
      { containers: 'x' },
      'cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container',
    ],
    [
      { containers: [{ ports: [{ containerPort: '80' }] }] },
      'cannot unmarshal string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32',
    ],
    [
      { terminationGracePeriodSeconds: 1.5 },
      'cannot unmarshal number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64',
    ],
    [
      { nodeSelector: { a: 1 } },
      'cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector of type string',
    ],
    [{ containers: [{ resources: { limits: { cpu: 'x' } } }] }, 'quantities must match the regular expression'],
  ])('%j', (spec, message) => {
    expect(() => decodePod(spec)).toThrow(message);
  });

  test('a key named __proto__ is a key', () => {
    const { object } = decodeObject(JSON.parse('{"data":{"__proto__":"x"}}'), 'core.v1.ConfigMap', POD);
    expect(Object.entries(object.data as object)).toEqual([['__proto__', 'x']]);
  });

  test('deep nesting is refused', () => {
    const deep = JSON.parse(`${'{"not":'.repeat(5000)}{}${'}'.repeat(5000)}`);
    expect(() => decodeObject(deep, 'apiextensions.v1.JSONSchemaProps', POD)).toThrow(/max depth/);
  });

  test('any JSON is either decoded or a BadRequest, and decoding twice changes nothing', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('core.v1.Pod', 'core.v1.Service', 'apps.v1.Deployment'),
        fc.jsonValue(),
        (name, value) => {
          try {
            const once = decodeObject(value, name, POD).object;
            expect(decodeObject(once, name, POD)).toEqual({ object: once, unknownFields: [] });
          } catch (error) {
            expect(error).toBeInstanceOf(ApiError);
          }
        },
      ),
    );
  });
});
