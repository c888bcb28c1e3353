import { describe, expect, it } from 'vitest';
import { negotiate } from './negotiation.ts';

describe('content negotiation', () => {
  it.each([
    [undefined, { encoding: 'json', shape: { kind: 'object' } }],
    ['*/*', { encoding: 'json', shape: { kind: 'object' } }],
    ['application/vnd.kubernetes.protobuf,application/json', { encoding: 'json', shape: { kind: 'object' } }],
    [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      { encoding: 'json', shape: { kind: 'table', version: 'v1' } },
    ],
    [
      'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      { encoding: 'json', shape: { kind: 'metadata', version: 'v1' } },
    ],
    ['application/json;as=Unknown;g=x;v=v1, application/yaml;q=0.5', { encoding: 'yaml', shape: { kind: 'object' } }],
    ['application/yaml;q=0.2, application/json;q=0.9', { encoding: 'json', shape: { kind: 'object' } }],
    ['application/vnd.kubernetes.protobuf', undefined],
    ['text/html;q=x', undefined],
  ])('%s', (header, expected) => {
    expect(negotiate(header)).toEqual(expected);
  });
});
