/** What @kubernetes/client-node does with the API alone: informers, watches, apply, custom resources, leader election. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ApiException,
  ApiextensionsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  type V1ConfigMap,
  Watch,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CONFIGMAPS } from '../../shared/api/resources.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { ObjectStore } from '../../shared/bus/object-store.ts';
import { objectKey } from '../../shared/bus/store-layout.ts';
import { freePort, startNatsServer, type TestNatsServer } from '../contract/nats-server.ts';
import { waitFor } from '../wait-for.ts';
import { ApiProcess, TEST_CLUSTER } from './api-process.testkit.ts';

const NAMESPACE = 'default';
const PATH = '/api/v1/namespaces/default/configmaps';

let nats: TestNatsServer;
let folder: string;
let server: ApiProcess;
let config: KubeConfig;
let core: CoreV1Api;

beforeAll(async () => {
  nats = await startNatsServer();
  folder = mkdtempSync(join(tmpdir(), 'podwire-client-'));
  server = new ApiProcess({ nats, folder, port: await freePort() });
  await server.start();
  config = new KubeConfig();
  config.loadFromFile(join(folder, 'kubeconfig'));
  core = config.makeApiClient(CoreV1Api);
});
afterAll(async () => {
  await server.kill();
  await nats.stop();
  rmSync(folder, { recursive: true, force: true });
});

function create(name: string, data: Record<string, string> = {}): Promise<V1ConfigMap> {
  return core.createNamespacedConfigMap({ namespace: NAMESPACE, body: { metadata: { name }, data } });
}

function remove(name: string): Promise<unknown> {
  return core.deleteNamespacedConfigMap({ namespace: NAMESPACE, name });
}

interface Told {
  readonly phase: string;
  readonly name: string | undefined;
  readonly revision: string | undefined;
  readonly annotations: Record<string, string> | undefined;
}

/** A watch, its events so far, and how it ended. */
async function watch(query: Record<string, string | number | boolean>) {
  const told: Told[] = [];
  const end: { error?: unknown; done: boolean } = { done: false };
  const controller = await new Watch(config).watch(
    PATH,
    query,
    (phase, { metadata }: V1ConfigMap) => {
      const { name, resourceVersion: revision, annotations } = metadata ?? {};
      told.push({ phase, name, revision, annotations });
    },
    (error: unknown) => {
      end.error = error;
      end.done = true;
    },
  );
  return { told, end, stop: () => controller.abort() };
}

async function presentRevision(): Promise<string> {
  return (await core.listNamespacedConfigMap({ namespace: NAMESPACE })).metadata?.resourceVersion ?? '';
}

describe('informers', () => {
  it('list, follow, and go on over a kill of the apiserver', async () => {
    await create('before', { a: '1' });
    const events: string[] = [];
    const informer = makeInformer<V1ConfigMap>(config, PATH, () =>
      core.listNamespacedConfigMap({ namespace: NAMESPACE }),
    );
    for (const verb of ['add', 'update', 'delete'] as const) {
      informer.on(verb, ({ metadata }) => void events.push(`${verb} ${metadata?.name}`));
    }
    informer.on('error', () => void setTimeout(() => void informer.start(), 50));
    await informer.start();
    await waitFor('the list', () => informer.get('before', NAMESPACE));
    await create('during');
    await core.replaceNamespacedConfigMap({
      namespace: NAMESPACE,
      name: 'before',
      body: { metadata: { name: 'before' }, data: { a: '2' } },
    });
    await remove('during');
    await waitFor('the changes', () => events.includes('delete during'));
    expect(events.filter((event) => /before|during/.test(event))).toEqual([
      'add before',
      'add during',
      'update before',
      'delete during',
    ]);
    await server.kill();
    await server.start();
    await create('after');
    await waitFor('the change after the kill', () => events.includes('add after'));
    expect(events.filter((event) => event === 'add before')).toHaveLength(1);
    await informer.stop();
  });
});

describe('watches', () => {
  it('tell bookmarks when they end', async () => {
    const resourceVersion = await presentRevision();
    // Before the watch, which does not last long.
    const made = await create('marked');
    const { told, end } = await watch({ resourceVersion, allowWatchBookmarks: true, timeoutSeconds: 1 });
    await waitFor('the end', () => end.done);
    expect(told.map(({ phase }) => phase)).toEqual(['ADDED', 'BOOKMARK']);
    expect(Number(told[1]?.revision)).toBeGreaterThanOrEqual(Number(made.metadata?.resourceVersion));
    await remove('marked');
  });

  it('stream the initial list and say where it ends', async () => {
    await create('initial');
    const { told, stop } = await watch({
      sendInitialEvents: true,
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: true,
    });
    const mark = await waitFor('the end of the list', () => told.find(({ annotations }) => annotations));
    expect(mark).toMatchObject({ phase: 'BOOKMARK', annotations: { 'k8s.io/initial-events-end': 'true' } });
    expect(told.slice(0, -1).map(({ phase }) => phase)).not.toContain('BOOKMARK');
    expect(told.map(({ name }) => name)).toContain('initial');
    await remove('initial');
    await waitFor('what comes after', () => told.at(-1)?.phase === 'DELETED');
    stop();
  });

  it('are Expired when they ask for what was forgotten', async () => {
    const revision = await presentRevision();
    const made = await create('forgotten');
    await remove('forgotten');
    const bus = await connectBus({ url: nats.url, token: nats.token, cluster: TEST_CLUSTER, clientName: 'test' });
    const store = await ObjectStore.open(bus);
    const { tombstones } = await store.load();
    const key = objectKey(CONFIGMAPS, 'forgotten', NAMESPACE);
    await store.forget(tombstones.filter(({ key: { name } }) => name === key.name));
    await bus.close();
    await server.kill();
    await server.start();
    const { end } = await watch({ resourceVersion: revision });
    await waitFor('the refusal', () => end.done);
    expect(end.error).toMatchObject({ statusCode: 410 });
    const { items, metadata } = await core.listNamespacedConfigMap({ namespace: NAMESPACE });
    expect(items.map(({ metadata: item }) => item?.name)).not.toContain('forgotten');
    expect(Number(metadata?.resourceVersion)).toBeGreaterThan(Number(made.metadata?.resourceVersion));
  });
});

describe('writes', () => {
  it('apply on the server, with conflicts between managers', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const applied = (value: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'applied', namespace: NAMESPACE },
      data: { key: value },
    });
    const apply = (value: string, manager: string, force = false) =>
      objects.patch<V1ConfigMap>(applied(value), undefined, undefined, manager, force, PatchStrategy.ServerSideApply);
    expect((await apply('1', 'one')).data).toEqual({ key: '1' });
    const conflict = await apply('2', 'two').catch((error: unknown) => error);
    expect(conflict).toBeInstanceOf(ApiException);
    expect(conflict).toMatchObject({ code: 409 });
    expect((await apply('2', 'two', true)).data).toEqual({ key: '2' });
    const { metadata } = await core.readNamespacedConfigMap({ namespace: NAMESPACE, name: 'applied' });
    expect(metadata?.managedFields?.map(({ manager, operation }) => `${manager} ${operation}`)).toEqual(['two Apply']);
  });

  it('define, make and watch custom resources', async () => {
    const group = 'clients.example.com';
    const plural = 'boats';
    await config.makeApiClient(ApiextensionsV1Api).createCustomResourceDefinition({
      body: {
        metadata: { name: `${plural}.${group}` },
        spec: {
          group,
          scope: 'Namespaced',
          names: { plural, singular: 'boat', kind: 'Boat' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: {
                  type: 'object',
                  properties: { spec: { type: 'object', properties: { sails: { type: 'integer', minimum: 1 } } } },
                },
              },
            },
          ],
        },
      },
    });
    const custom = config.makeApiClient(CustomObjectsApi);
    const place = { group, version: 'v1', namespace: NAMESPACE, plural };
    const boat = (sails: number) => ({
      apiVersion: `${group}/v1`,
      kind: 'Boat',
      metadata: { name: 'b' },
      spec: { sails },
    });
    await waitFor('the kind to be served', () =>
      custom.listNamespacedCustomObject(place).then(
        () => true,
        (error: ApiException<unknown>) => {
          if (error.code === 404) return false;
          throw error;
        },
      ),
    );
    const refused = await custom
      .createNamespacedCustomObject({ ...place, body: boat(0) })
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 422 });
    await custom.createNamespacedCustomObject({ ...place, body: boat(2) });
    expect(await custom.getNamespacedCustomObject({ ...place, name: 'b' })).toMatchObject({ spec: { sails: 2 } });
  });
});

describe('leader election', () => {
  const candidates: ChildProcess[] = [];
  afterAll(() => candidates.forEach((candidate) => void candidate.kill('SIGKILL')));

  function startCandidate(identity: string): { readonly child: ChildProcess; readonly output: () => string } {
    let output = '';
    const child = spawn(process.execPath, [join(import.meta.dirname, 'leader-candidate.ts'), identity], {
      env: { ...process.env, KUBECONFIG: join(folder, 'kubeconfig') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    candidates.push(child);
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data) => {
        output += data;
      });
    }
    return { child, output: () => output };
  }

  it('of two processes one leads, and the other when that one is killed', async () => {
    const [one, two] = [startCandidate('one'), startCandidate('two')];
    const leader = await waitFor('a leader', () => [one, two].find(({ output }) => output().includes('leads')));
    const other = leader === one ? two : one;
    await waitFor('some renewals', () => leader.output().split('\n').length > 5);
    expect(other.output()).toBe('');
    leader.child.kill('SIGKILL');
    await waitFor('the other one', () => /^leads\n\d+ \d+\n/.test(other.output()));
    const lastOf = leader.output().trim().split('\n').at(-1) as string;
    const firstOf = other.output().split('\n')[1] as string;
    expect(Number(firstOf.split(' ')[0])).toBeGreaterThan(Number(lastOf.split(' ')[0]));
    expect(Number(firstOf.split(' ')[1])).toBe(Number(lastOf.split(' ')[1]) + 1);
  });
});
