import { Reader } from 'protobufjs/minimal.js';
import { expect, test } from 'vitest';
import { groupVersions, resourcesOf } from '../../../shared/api/registry.ts';
import type { ServedResources } from '../registry/served-resources.ts';
import { openApiV2Document, openApiV2Protobuf } from './openapi-v2.ts';
import { encodeOpenApiV2 } from './openapi-v2-protobuf.ts';

/** The built-in resources, without a store. */
const served = { groupVersions, resourcesOf } as Pick<ServedResources, 'groupVersions' | 'resourcesOf'>;
const document = openApiV2Document(served as ServedResources) as {
  paths: Record<string, Record<string, Record<string, unknown>>>;
  definitions: Record<string, { properties?: Record<string, unknown> }>;
};

test('a field that is of another type refers to its definition, and keeps its description', () => {
  expect(document.definitions['io.k8s.api.core.v1.Pod']?.properties?.spec).toEqual({
    description: expect.stringMatching(/^Specification of the desired behavior/),
    $ref: '#/definitions/io.k8s.api.core.v1.PodSpec',
  });
});

test('every reference leads to a definition', () => {
  const references = new Set(JSON.stringify(document).match(/#\/definitions\/[^"]+/g));
  expect(references.size).toBeGreaterThan(100);
  const missing = [...references].filter(
    (reference) => !(reference.slice('#/definitions/'.length) in document.definitions),
  );
  expect(missing).toEqual([]);
});

test('a patch says of which kind it is and that it can be tried', () => {
  const patch = document.paths['/apis/apps/v1/namespaces/{namespace}/deployments/{name}']?.patch;
  expect(patch).toMatchObject({
    'x-kubernetes-group-version-kind': { group: 'apps', version: 'v1', kind: 'Deployment' },
    parameters: expect.arrayContaining([expect.objectContaining({ name: 'dryRun', in: 'query', type: 'string' })]),
  });
});

test('known bytes of a small document', () => {
  const bytes = encodeOpenApiV2({
    swagger: '2.0',
    definitions: { A: { type: 'object', properties: { b: { $ref: '#/definitions/B' } }, 'x-y': [1] } },
  });
  const hex = Buffer.from(bytes).toString('hex');
  const swagger = '0a03322e30';
  const type = `b201${'08'}0a06${Buffer.from('object').toString('hex')}`;
  const reference = `0a0f${Buffer.from('#/definitions/B').toString('hex')}`;
  const properties = `ca0118${'0a16'}0a0162${'1211'}${reference}`;
  const extension = `fa010d0a03${Buffer.from('x-y').toString('hex')}1206${'1204'}${Buffer.from('[1]\n').toString('hex')}`;
  const schema = `${type}${properties}${extension}`;
  const length = (text: string) => (text.length / 2).toString(16).padStart(2, '0');
  const entry = `0a0141${'12'}${length(schema)}${schema}`;
  const definitions = `0a${length(entry)}${entry}`;
  expect(hex).toBe(`${swagger}4a${length(definitions)}${definitions}`);
});

test('the protobuf form is made once, and can be read from end to end', () => {
  const bytes = openApiV2Protobuf(served as ServedResources);
  expect(openApiV2Protobuf(served as ServedResources)).toBe(bytes);
  const reader = Reader.create(bytes);
  const fields: number[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    fields.push(tag >>> 3);
    reader.skipType(tag & 7);
  }
  expect(fields).toEqual([1, 2, 8, 9]);
});
