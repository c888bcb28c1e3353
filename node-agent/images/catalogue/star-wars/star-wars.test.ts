import { expect, it } from 'vitest';
import { ask, listening } from '../http-client.testkit.ts';
import { CLIENT, SERVER, startImage, testPods } from '../pods.testkit.ts';

it('ships land on the Death Star, and its exhaust port ends it', async () => {
  const pods = testPods();
  const server = startImage('quay.io/cilium/starwars@sha256:896dc536', { network: pods.left, hostname: 'deathstar-0' });
  await listening(pods.right, SERVER, 80);
  const send = (method: string, path: string) => ask(pods.right, `http://${SERVER}${path}`, { method });
  expect(await send('POST', '/v1/request-landing')).toMatchObject({ status: 200, body: 'Ship landed\n' });
  expect(JSON.parse((await send('GET', '/v1/')).body)).toMatchObject({ name: 'Death Star', hostname: 'deathstar-0' });
  expect(await send('GET', '/v1/request-landing')).toMatchObject({ status: 405 });
  expect(await send('GET', '/v2')).toMatchObject({ status: 404 });
  const port = await send('PUT', '/v1/exhaust-port');
  expect(port).toMatchObject({ status: 503, body: expect.stringMatching(/^Panic: deathstar exploded\n\ngoroutine 1/) });
  expect((await server.container.ended).exitCode).toBe(2);
  expect(server.log()).toContain('panic: deathstar exploded');
});

it('a ship serves JSON, at the port of its environment', async () => {
  const pods = testPods();
  startImage('quay.io/cilium/json-mock:v1.3.8', { network: pods.left, environment: { PORT: '8080' } });
  await listening(pods.right, SERVER, 8080);
  const get = async (path: string) => (await ask(pods.right, `http://${SERVER}:8080${path}`)).body;
  expect(JSON.parse(await get('/public'))).toEqual([{ id: 1, body: 'public information' }]);
  expect(JSON.parse(await get('/client-ip'))).toEqual({ 'client-ip': CLIENT });
  expect(await get('/')).toContain('JSON Server');
});
