/** httpd, http-echo, whoami and httpbin. */
import { describe, expect, it } from 'vitest';
import type { TestContainerOptions } from '../container.testkit.ts';
import { projectedVolume } from '../files/volume.ts';
import { ask, listening, type TestRequest } from './http-client.testkit.ts';
import { CLIENT, SERVER, startImage, testPods } from './pods.testkit.ts';

async function serve(image: string, port: number, options: TestContainerOptions = {}) {
  const pods = testPods();
  const server = startImage(image, { network: pods.left, hostname: 'web-0', ...options });
  await listening(pods.right, SERVER, port);
  const get = (path: string, request?: TestRequest) => ask(pods.right, `http://${SERVER}:${port}${path}`, request);
  return { server, get };
}

describe('httpd', () => {
  it('serves its page and writes a common log', async () => {
    const { server, get } = await serve('httpd:2.4', 80);
    expect(await get('/')).toMatchObject({ status: 200, body: '<html><body><h1>It works!</h1></body></html>\n' });
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/', { method: 'DELETE' })).status).toBe(405);
    await server.waitForLog(new RegExp(`^${CLIENT} - - \\[[^\\]]+\\] "GET / HTTP/1.1" 200 45$`, 'm'));
    await server.waitForLog(/"GET \/nothing HTTP\/1\.1" 404 \d+/);
  });

  it('serves mounted files, lists folders', async () => {
    const volume = projectedVolume({ 'a/b.txt': { bytes: Buffer.from('text') } });
    const { get } = await serve('httpd', 80, { mounts: [{ path: '/usr/local/apache2/htdocs', volume }] });
    expect((await get('/a/b.txt')).body).toBe('text');
    expect((await get('/a')).headers.location).toBe(`http://${SERVER}/a/`);
    expect((await get('/a/')).body).toContain('<a href="b.txt">');
  });

  it.each(['SIGTERM', 'SIGWINCH'] as const)('ends with 0 on %s', async (signal) => {
    const { server } = await serve('httpd', 80);
    server.container.signal(signal);
    expect((await server.container.ended).exitCode).toBe(0);
  });
});

describe('http-echo', () => {
  it('says its text', async () => {
    const { server, get } = await serve('hashicorp/http-echo:1.0', 5678, { args: ['-text=apple'] });
    expect(await get('/any')).toMatchObject({ status: 200, body: 'apple\n', headers: { 'x-app-name': 'http-echo' } });
    expect((await get('/health')).body).toContain('ok');
    await server.waitForLog(/"GET \/any HTTP\/1\.1" 200 6/);
    server.container.signal('SIGTERM');
    expect((await server.container.ended).exitCode).toBe(0);
  });

  it('listens and answers as told', async () => {
    const args = ['-text', 'pear', '-listen', ':8080', '-status-code=201'];
    const { get } = await serve('hashicorp/http-echo', 8080, { args });
    expect(await get('/')).toMatchObject({ status: 201, body: 'pear\n' });
  });

  it('wants a text', async () => {
    const server = startImage('hashicorp/http-echo', { network: testPods().left });
    expect((await server.container.ended).exitCode).toBe(127);
    expect(server.log()).toContain('-text');
  });
});

describe('whoami', () => {
  it('tells who it is and what it was asked', async () => {
    const { get } = await serve('traefik/whoami', 80, { args: ['--name=one'] });
    const { body } = await get('/p?q=1', { headers: { 'x-b': '2', host: 'who.test' } });
    expect(body).toMatch(/^Name: one\nHostname: web-0\nIP: /);
    for (const line of [`IP: ${SERVER}`, 'GET /p?q=1 HTTP/1.1', 'Host: who.test', 'X-B: 2']) {
      expect(body.split('\n')).toContain(line);
    }
    expect(body).toMatch(new RegExp(`^RemoteAddr: ${CLIENT}:\\d+$`, 'm'));
    expect(JSON.parse((await get('/api')).body)).toMatchObject({ hostname: 'web-0', method: 'GET', name: 'one' });
    expect((await get('/data?size=2&unit=KB')).body).toHaveLength(2048);
    expect((await get('/bench')).body).toBe('1');
  });

  it('is as healthy as it was told', async () => {
    const { get } = await serve('traefik/whoami', 8080, { environment: { WHOAMI_PORT_NUMBER: '8080' } });
    expect((await get('/health')).status).toBe(200);
    await get('/health', { method: 'POST', body: '503' });
    expect((await get('/health')).status).toBe(503);
  });
});

describe('httpbin', () => {
  it('describes requests', async () => {
    const { get } = await serve('kennethreitz/httpbin', 80);
    const json = async (path: string, request?: TestRequest) => JSON.parse((await get(path, request)).body);
    expect(await json('/get?a=1')).toMatchObject({ args: { a: '1' }, origin: CLIENT, url: `http://${SERVER}/get?a=1` });
    expect(await json('/headers', { headers: { 'x-q': 'r' } })).toMatchObject({
      headers: { 'X-Q': 'r', Host: SERVER },
    });
    expect(await json('/post', { method: 'POST', body: '{"n":1}' })).toMatchObject({ data: '{"n":1}', json: { n: 1 } });
    const form = { method: 'PUT', body: 'k=v', headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    expect(await json('/anything/x', form)).toMatchObject({ form: { k: 'v' }, data: '', method: 'PUT' });
    expect(await json('/cookies', { headers: { cookie: 'a=b; c=d' } })).toEqual({ cookies: { a: 'b', c: 'd' } });
  });

  it('answers as asked', async () => {
    const { get } = await serve('kennethreitz/httpbin', 80);
    expect((await get('/status/503')).status).toBe(503);
    expect((await get('/post')).status).toBe(405);
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/redirect/2')).headers.location).toBe('/relative-redirect/1');
    expect((await get('/redirect-to?url=/ip')).headers.location).toBe('/ip');
    expect((await get('/response-headers?x-z=9')).headers['x-z']).toBe('9');
    expect((await get('/bytes/12')).headers['content-type']).toBe('application/octet-stream');
    expect((await get('/basic-auth/u/p')).status).toBe(401);
    const authorization = `Basic ${Buffer.from('u:p').toString('base64')}`;
    expect((await get('/basic-auth/u/p', { headers: { authorization } })).status).toBe(200);
  });
});
