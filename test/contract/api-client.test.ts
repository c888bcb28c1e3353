import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../shared/api/object.ts';
import { PODS } from '../../shared/api/resources.ts';
import { notFound } from '../../shared/api/status.ts';
import { createApiClient } from '../../shared/bus/api-client.ts';
import { type Bus, connectBus } from '../../shared/bus/connection.ts';
import { API_REQUEST, type ApiRequest, type ApiResponse } from '../../shared/bus/subjects.ts';
import { waitFor } from '../wait-for.ts';
import { startNatsServer, type TestNatsServer } from './nats-server.ts';

let server: TestNatsServer;
const opened: Bus[] = [];

async function openBus(clientName: string): Promise<Bus> {
  const bus = await connectBus({ url: server.url, token: server.token, cluster: 'test', clientName });
  opened.push(bus);
  return bus;
}

beforeAll(async () => {
  server = await startNatsServer();
});
afterEach(async () => {
  for (const bus of opened.splice(0)) await bus.close();
});
afterAll(async () => {
  await server.stop();
});

async function serveApi(answer: (request: ApiRequest) => ApiResponse): Promise<ApiRequest[]> {
  const requests: ApiRequest[] = [];
  const bus = await openBus('apiserver');
  bus.serve(API_REQUEST, {}, async (request) => {
    requests.push(request);
    return answer(request);
  });
  await bus.nats.flush();
  return requests;
}

const web: KubeObject = { metadata: { name: 'web', namespace: 'default', resourceVersion: '5' } };

describe('ApiClient', () => {
  it('asks as the URL of the HTTPS side would', async () => {
    const requests = await serveApi(() => ({ code: 200, body: web }));
    const api = createApiClient(await openBus('scheduler'), { user: 'system:kube-scheduler' });
    expect(await api.get(PODS, 'web', 'default')).toEqual(web);
    await api.create(PODS, web);
    await api.updateStatus(PODS, web);
    await api.patch(PODS, 'web', 'default', { type: 'apply', body: {}, fieldManager: 'me', force: true });
    await api.delete(PODS, 'web', 'default', { gracePeriodSeconds: 0, uid: 'u' });
    await api.subresource(PODS, 'web', 'default', 'binding', { target: {} });
    const common = { group: '', version: 'v1', resource: 'pods', namespace: 'default', user: 'system:kube-scheduler' };
    expect(requests).toMatchObject([
      { ...common, verb: 'get', name: 'web' },
      { ...common, verb: 'create', body: web },
      { ...common, verb: 'update', name: 'web', subresource: 'status' },
      {
        ...common,
        verb: 'patch',
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: 'me', force: 'true' },
      },
      { ...common, verb: 'delete', body: { gracePeriodSeconds: 0, preconditions: { uid: 'u' } } },
      { ...common, verb: 'create', name: 'web', subresource: 'binding' },
    ]);
  });

  it('reads long lists page by page', async () => {
    const requests = await serveApi(({ query }) => {
      const last = query.continue === 'next';
      const metadata = last ? { resourceVersion: '9' } : { resourceVersion: '9', continue: 'next' };
      return { code: 200, body: { metadata, items: [last ? 'b' : 'a'] } };
    });
    const api = createApiClient(await openBus('agent'), { user: 'me' });
    expect(await api.list(PODS, { labelSelector: 'app=web' })).toEqual({ items: ['a', 'b'], resourceVersion: '9' });
    expect(requests.map(({ query }) => query.labelSelector)).toEqual(['app=web', 'app=web']);
  });

  it('throws what the API answers', async () => {
    await serveApi(() => ({ code: 404, body: notFound(PODS, 'web').toStatus() }));
    const api = createApiClient(await openBus('agent'), { user: 'me' });
    await expect(api.get(PODS, 'web', 'default')).rejects.toMatchObject({
      name: 'ApiError',
      code: 404,
      reason: 'NotFound',
      message: 'pods "web" not found',
    });
  });

  it('waits for an apiserver to come, and gives up after a while', async () => {
    const bus = await openBus('agent');
    const impatient = createApiClient(bus, { user: 'me', retryForMs: 50 });
    await expect(impatient.get(PODS, 'web', 'default')).rejects.toMatchObject({ name: 'BusUnavailableError' });
    const created = createApiClient(bus, { user: 'me' }).create(PODS, web);
    await serveApi(() => ({ code: 201, body: web }));
    expect(await created).toEqual(web);
  });

  it('does not repeat a write that may have been carried out', async () => {
    let writes = 0;
    const apiserver = await openBus('apiserver');
    apiserver.serve(API_REQUEST, {}, () => {
      writes++;
      return new Promise(() => undefined);
    });
    await apiserver.nats.flush();
    const bus = await openBus('agent');
    const api = createApiClient(bus, { user: 'me' });
    const failure = api.create(PODS, web).catch((error: unknown) => error);
    await waitFor('the request to arrive', () => writes === 1);
    await server.kill();
    expect(await failure).toMatchObject({ name: 'BusUnavailableError', maybeDelivered: true });
    await server.start();
    await waitFor('the connections', () => bus.connected && apiserver.connected);
    expect(writes).toBe(1);
  });
});
