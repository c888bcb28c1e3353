import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { alreadyExists, notFound } from '../../../shared/api/status.ts';
import type { ApiClient, Patch } from '../../../shared/bus/api-client.ts';
import { FakeClock } from '../../../shared/runtime/clock.ts';
import { readClusterConfig } from '../../../shared/runtime/config.ts';
import { silentLogger } from '../../../shared/runtime/log.ts';
import { bootstrapCluster } from './bootstrap.ts';

const POOL = 'ippools default-ipv4-ippool';
const MARKER = 'configmaps podwire-bootstrap';

describe('what a cluster is set up with', () => {
  let objects: Map<string, KubeObject>;

  beforeEach(() => {
    objects = new Map();
  });

  /** What it does of the API: names are enough here to tell objects apart. */
  function api(): ApiClient {
    const keyOf = ({ resource }: ResourceRef, name = '') => `${resource} ${name}`;
    const known = {
      async create(resource: ResourceRef, object: KubeObject) {
        const key = keyOf(resource, object.metadata.name);
        if (objects.has(key)) throw alreadyExists(resource, key);
        objects.set(key, object);
      },
      async get(resource: ResourceRef, name: string) {
        const found = objects.get(keyOf(resource, name));
        if (found === undefined) throw notFound(resource, name);
        return found;
      },
      async patch(resource: ResourceRef, name: string, _namespace: string, { body }: Patch) {
        const { data, ...rest } = objects.get(keyOf(resource, name)) as KubeObject & ConfigMap;
        const added = (body as ConfigMap).data;
        objects.set(keyOf(resource, name), { ...rest, data: { ...data, ...added } } as KubeObject);
      },
    };
    return known as unknown as ApiClient;
  }

  async function start(cni: string): Promise<void> {
    const config = readClusterConfig({ PODWIRE_CNI: cni });
    const { signal } = new AbortController();
    const clock = new FakeClock();
    await bootstrapCluster({ api: api(), clock, log: silentLogger(), signal, config, placeableNodes: () => 2 });
  }

  it('is of the network that it has, and at another start of another one', async () => {
    await start('cilium');
    expect(objects.has(POOL)).toBe(false);
    await start('calico');
    expect(objects.has(POOL)).toBe(true);
    expect(objects.get(MARKER)).toMatchObject({ data: { networks: 'cilium calico' } });
  });

  it('is of another network too where it was set up before networks were written down', async () => {
    await start('cilium');
    objects.set(MARKER, { ...objects.get(MARKER)!, data: { done: 'true' } } as KubeObject);
    await start('calico');
    expect(objects.has(POOL)).toBe(true);
  });

  it('stays deleted when its user deleted it', async () => {
    await start('calico');
    objects.delete(POOL);
    objects.delete('deployments coredns');
    await start('calico');
    expect(objects.has(POOL)).toBe(false);
    expect(objects.has('deployments coredns')).toBe(false);
  });
});
