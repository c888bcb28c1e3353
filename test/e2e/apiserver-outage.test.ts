/** What holds while NATS is away, while others write, and when a client sends nonsense. */
import { connect as connectTls } from 'node:tls';
import { afterAll, describe, expect, it } from 'vitest';
import { waitFor } from '../wait-for.ts';
import type { ApiProcess } from './api-process.testkit.ts';
import { TestApiServer } from './apiserver.testkit.ts';

const server = await TestApiServer.start();

describe.skipIf(server === undefined)('the apiserver', () => {
  const api = server!;
  afterAll(() => api.stop());

  const call: ApiProcess['call'] = (...request) => api.process.call(...request);

  const configMap = (name: string) => JSON.stringify({ metadata: { name } });
  const CONFIGMAPS = '/api/v1/namespaces/default/configmaps';

  it('asks for credentials', async () => {
    expect((await call('GET', '/api/v1/pods', '', { authorization: '' })).code).toBe(401);
    expect((await call('GET', '/api/v1/pods', '', { authorization: 'Bearer nonsense' })).code).toBe(401);
    expect((await call('GET', '/version', '', { authorization: '' })).code).toBe(401);
    expect((await call('GET', '/readyz', '', { authorization: '' })).code).toBe(200);
  });

  it.each([
    ['POST', CONFIGMAPS, '{', 400],
    ['POST', CONFIGMAPS, 'null', 400],
    ['POST', CONFIGMAPS, '[]', 400],
    ['POST', CONFIGMAPS, '{"metadata":7}', 400],
    ['POST', CONFIGMAPS, '{"metadata":{"name":"x","namespace":"other"}}', 400],
    ['POST', CONFIGMAPS, '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"x"}}', 400],
    ['POST', CONFIGMAPS, '{"metadata":{}}', 422],
    ['POST', `${CONFIGMAPS}?fieldValidation=Strict`, '{"metadata":{"name":"x"},"data":{"a":"1","a":"2"}}', 400],
    ['POST', `${CONFIGMAPS}?dryRun=Some`, '{"metadata":{"name":"x"}}', 422],
    ['POST', '/api/v1/configmaps', '{"metadata":{"name":"x"}}', 405],
    ['POST', `${CONFIGMAPS}/x`, '{"metadata":{"name":"x"}}', 405],
    ['POST', '/api/v1/namespaces/default/nonsense', '{}', 404],
    ['GET', `${CONFIGMAPS}/x/status`, '', 404],
    ['GET', '/api/v1/namespaces/default/pods?labelSelector=a%20in%20b', '', 400],
    ['GET', `${CONFIGMAPS}?limit=many`, '', 400],
    ['GET', `${CONFIGMAPS}?continue=nonsense`, '', 400],
    ['GET', `${CONFIGMAPS}?resourceVersion=x`, '', 400],
    ['GET', `${CONFIGMAPS}?resourceVersion=99999999`, '', 504],
    ['GET', `${CONFIGMAPS}?watch=1&sendInitialEvents=true`, '', 422],
    ['GET', '/api/v1/namespaces/%zz/pods', '', 400],
    ['GET', '/apis/nothing/v1/things', '', 404],
    ['DELETE', `${CONFIGMAPS}/missing`, '', 404],
    ['DELETE', `${CONFIGMAPS}/missing?propagationPolicy=Sideways`, '', 422],
    ['PATCH', `${CONFIGMAPS}/missing`, '{}', 415],
    ['BREW', CONFIGMAPS, '', 400],
  ])('%s %s %s is %d', async (method, path, body, code) => {
    const answer = await call(method, path, body).catch((error: Error) => ({ code: 400, body: error.message }));
    expect(answer.code, answer.body).toBe(code);
  });

  it('limits what it reads, and says so to clients that are still sending', async () => {
    const large = JSON.stringify({ data: { a: 'x'.repeat(4_000_000) } });
    for (let i = 0; i < 8; i++) {
      const framing: Record<string, string> = i % 2 === 0 ? {} : { 'transfer-encoding': 'chunked' };
      const { code, body } = await call('POST', CONFIGMAPS, large, framing);
      expect(JSON.parse(body)).toMatchObject({ reason: 'RequestEntityTooLarge', code: 413 });
      expect(code).toBe(413);
      const anonymous = { authorization: '', ...framing };
      expect((await call('POST', CONFIGMAPS, 'x'.repeat(200_000), anonymous)).code).toBe(401);
      expect((await call('POST', '/nowhere', 'x'.repeat(200_000), framing)).code).toBe(404);
      expect((await call('GET', CONFIGMAPS, '', { 'x-long': 'x'.repeat(100_000) })).code).toBe(431);
    }
    expect(
      (await call('POST', CONFIGMAPS, `{"metadata":{"name":"deep"},"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`))
        .code,
    ).toBeLessThan(500);
  });

  it('keeps the connection of a client whose request it refuses', async () => {
    const answer = await call('POST', CONFIGMAPS, 'x'.repeat(200_000), { authorization: '' });
    expect(answer.headers.connection).toBe('keep-alive');
    expect((await call('GET', '/nowhere')).headers.connection).toBe('keep-alive');
  });

  it('survives bytes that are no HTTP and bodies that are no protobuf', async () => {
    await new Promise<void>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port: api.port, ca: api.process.ca }, () =>
        socket.end('\u0000\u0001nonsense\r\n\r\n'),
      );
      socket.on('close', () => resolve());
      socket.on('error', () => resolve());
      socket.resume();
    });
    for (const body of ['k8s\u0000', 'k8s\u0000\u0012\u00ff\u00ff\u00ff', 'nonsense']) {
      const answer = await call('POST', CONFIGMAPS, body, { 'content-type': 'application/vnd.kubernetes.protobuf' });
      expect(answer.code, answer.body).toBe(400);
    }
    const bomb =
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n';
    const answer = await call('POST', CONFIGMAPS, bomb, { 'content-type': 'application/yaml' });
    expect(answer.code, answer.body).toBe(400);
    expect((await call('GET', '/readyz')).code).toBe(200);
  });

  it('gives a name or a port once, however many ask at the same time', async () => {
    const names = await Promise.all(Array.from({ length: 20 }, () => call('POST', CONFIGMAPS, configMap('once'))));
    expect(names.map(({ code }) => code).sort()).toEqual([201, ...Array.from({ length: 19 }, () => 409)]);
    const service = (i: number) =>
      JSON.stringify({
        metadata: { name: `s${i}` },
        spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 31_000 }] },
      });
    const path = '/api/v1/namespaces/default/services';
    const ports = await Promise.all(Array.from({ length: 10 }, (_, i) => call('POST', path, service(i))));
    expect(ports.map(({ code }) => code).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 422)]);
  });

  it('loses no update when many patch one object', async () => {
    const patches = Array.from({ length: 15 }, (_, i) =>
      call('PATCH', `${CONFIGMAPS}/once`, JSON.stringify({ data: { [`k${i}`]: 'v' } }), {
        'content-type': 'application/merge-patch+json',
      }),
    );
    expect((await Promise.all(patches)).every(({ code }) => code === 200)).toBe(true);
    const { data } = JSON.parse((await call('GET', `${CONFIGMAPS}/once`)).body);
    expect(Object.keys(data)).toHaveLength(15);
  });

  it('pages through one snapshot', async () => {
    for (let i = 0; i < 5; i++) await call('POST', CONFIGMAPS, configMap(`page-${i}`));
    const first = JSON.parse((await call('GET', `${CONFIGMAPS}?limit=2`)).body);
    expect(first.items).toHaveLength(2);
    expect(first.metadata.remainingItemCount).toBeGreaterThan(0);
    await call('POST', CONFIGMAPS, configMap('zz-late'));
    const names: string[] = first.items.map((item: { metadata: { name: string } }) => item.metadata.name);
    for (let token = first.metadata.continue; token !== undefined; ) {
      const page = JSON.parse((await call('GET', `${CONFIGMAPS}?limit=2&continue=${token}`)).body);
      expect(page.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
      names.push(...page.items.map((item: { metadata: { name: string } }) => item.metadata.name));
      token = page.metadata.continue;
    }
    expect(names).toEqual([...new Set(names)].sort());
    expect(names).not.toContain('zz-late');
  });

  it('reads on and refuses writes in time while NATS is away, and goes on when it is back', async () => {
    await api.nats.kill();
    expect((await call('GET', `${CONFIGMAPS}/once`)).code).toBe(200);
    const refused = await call('POST', CONFIGMAPS, configMap('refused'));
    expect([503, 504]).toContain(refused.code);
    expect(refused.headers['retry-after']).toBe('1');
    await waitFor('not ready', async () => (await call('GET', '/readyz')).code === 500);
    await api.nats.start();
    await waitFor('ready again', async () => (await call('GET', '/readyz')).code === 200);
    await waitFor('writes', async () => (await call('POST', CONFIGMAPS, configMap('back'))).code === 201);
    expect((await call('GET', `${CONFIGMAPS}/back`)).code).toBe(200);
  });
});
