import { describe, expect, it } from 'vitest';
import { requestInfo } from './request-info.ts';

const ask = (method: string, path: string) => {
  const info = requestInfo(method, new URL(path, 'https://localhost'));
  if (info?.kind !== 'resource') return info;
  const { verb, group, version, resource, namespace, name, subresource, rest } = info;
  return [verb, group, version, resource, namespace, name, subresource, rest];
};

const NO = undefined;

describe('request info', () => {
  it.each([
    ['GET', '/api/v1/pods', ['list', '', 'v1', 'pods', NO, NO, NO, NO]],
    ['GET', '/api/v1/pods?watch=true', ['watch', '', 'v1', 'pods', NO, NO, NO, NO]],
    ['GET', '/api/v1/pods?watch=0', ['list', '', 'v1', 'pods', NO, NO, NO, NO]],
    ['GET', '/api/v1/watch/namespaces/a/pods', ['watch', '', 'v1', 'pods', 'a', NO, NO, NO]],
    ['GET', '/api/v1/namespaces', ['list', '', 'v1', 'namespaces', NO, NO, NO, NO]],
    ['GET', '/api/v1/namespaces/a', ['get', '', 'v1', 'namespaces', NO, 'a', NO, NO]],
    ['PUT', '/api/v1/namespaces/a/finalize', ['update', '', 'v1', 'namespaces', NO, 'a', 'finalize', NO]],
    ['GET', '/api/v1/namespaces/a/pods/', ['list', '', 'v1', 'pods', 'a', NO, NO, NO]],
    ['POST', '/api/v1/namespaces/a/pods/b/exec', ['create', '', 'v1', 'pods', 'a', 'b', 'exec', NO]],
    [
      'GET',
      '/api/v1/namespaces/a/services/http:b:80/proxy/x%2Fy/',
      ['get', '', 'v1', 'services', 'a', 'http:b:80', 'proxy', 'x%2Fy/'],
    ],
    ['GET', '/api/v1/nodes/n/proxy', ['get', '', 'v1', 'nodes', NO, 'n', 'proxy', NO]],
    [
      'DELETE',
      '/apis/apps/v1/namespaces/a/deployments',
      ['deletecollection', 'apps', 'v1', 'deployments', 'a', NO, NO, NO],
    ],
    [
      'PATCH',
      '/apis/apps/v1/namespaces/a/deployments/b/scale',
      ['patch', 'apps', 'v1', 'deployments', 'a', 'b', 'scale', NO],
    ],
    ['GET', '/apis/apps/v1', { kind: 'path', segments: ['apis', 'apps', 'v1'] }],
    ['GET', '/apis/', { kind: 'path', segments: ['apis'] }],
    ['GET', '/version', { kind: 'path', segments: ['version'] }],
    ['GET', '/', { kind: 'path', segments: [] }],
  ])('%s %s', (method, path, expected) => {
    expect(ask(method, path)).toEqual(expected);
  });

  it('refuses bad percent-encoding', () => {
    expect(requestInfo('GET', new URL('https://localhost/api/v1/pods/%zz'))).toBeUndefined();
  });
});
