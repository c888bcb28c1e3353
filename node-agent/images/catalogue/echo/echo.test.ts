import { connect as connectHttp2 } from 'node:http2';
import { request as requestHttps } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { PodHttpAgent } from '../../../../shared/podnet/http.ts';
import { readAll } from '../../program-io.ts';
import { certificateVolume } from '../certificate.testkit.ts';
import { ask, listening, type TestRequest } from '../http-client.testkit.ts';
import { CLIENT, SERVER, startImage, testPods } from '../pods.testkit.ts';

const BASIC = 'gcr.io/k8s-staging-gateway-api/echo-basic:v1';
const ADVANCED = 'gcr.io/k8s-staging-gateway-api/echo-advanced:v1';
const environment = { POD_NAME: 'echo-1', NAMESPACE: 'ns', SERVICE_NAME: 'echo', INGRESS_NAME: 'gate' };

async function echoBasic() {
  const pods = testPods();
  const server = startImage(BASIC, { network: pods.left, environment });
  await server.waitForLog(/port 3001 \(h2c\)/);
  const get = (path: string, request?: TestRequest) => ask(pods.right, `http://${SERVER}:3000${path}`, request);
  return { pods, server, get };
}

describe('echo-basic', () => {
  it('describes the request', async () => {
    const { get } = await echoBasic();
    const answer = await get('/some/path?x=1', { method: 'PUT', headers: { 'x-two': 'b', host: 'example.test' } });
    expect(answer.headers['content-type']).toBe('application/json');
    expect(JSON.parse(answer.body)).toMatchObject({
      path: '/some/path?x=1',
      host: 'example.test',
      method: 'PUT',
      proto: 'HTTP/1.1',
      headers: { 'X-Two': ['b'] },
      httpPort: '3000',
      namespace: 'ns',
      ingress: 'gate',
      service: 'echo',
      pod: 'echo-1',
    });
  });

  it('answers with the status, header and delay that it is asked for', async () => {
    const { get } = await echoBasic();
    expect((await get('/status/418')).status).toBe(418);
    expect((await get('/status/x')).status).toBe(400);
    expect((await get('/health')).body).toBe('OK');
    const { headers } = await get('/', { headers: { 'x-echo-set-header': 'X-A:1, X-B:2,X-A:3' } });
    expect(headers).toMatchObject({ 'x-a': '1,3', 'x-b': '2' });
    const startedMs = performance.now();
    await get('/?delay=30ms');
    expect(performance.now() - startedMs).toBeGreaterThan(29);
    expect((await get('/?delay=soon')).status).toBe(500);
  });

  it('fails so many times before it answers', async () => {
    const { get } = await echoBasic();
    const path = '/retry/x?uuid=1&succeedAfter=2&responseCode=503';
    expect([(await get(path)).status, (await get(path)).status, (await get(path)).status]).toEqual([503, 503, 200]);
  });

  it('speaks HTTP/2 without TLS', async () => {
    const { pods } = await echoBasic();
    const socket = await pods.right.connectTcp({ host: SERVER, port: 3001 });
    const session = connectHttp2(`http://${SERVER}:3001`, { createConnection: () => socket });
    const stream = session.request({ ':path': '/two', 'x-one': 'a' });
    const body = JSON.parse((await readAll(stream)).toString());
    session.close();
    expect(body).toMatchObject({
      path: '/two',
      proto: 'HTTP/2.0',
      host: `${SERVER}:3001`,
      headers: { 'X-One': ['a'] },
    });
  });

  it('echoes WebSocket frames', async () => {
    const { pods } = await echoBasic();
    const agent = new PodHttpAgent({ network: pods.right, lookup: async (name) => name });
    const client = new WebSocket(`ws://${SERVER}:3000/ws`, { agent });
    client.on('open', () => client.send('frame'));
    const reply = await new Promise<string>((resolve, reject) => {
      client.on('message', (data) => resolve(String(data)));
      client.on('error', reject);
    });
    expect(reply).toBe('frame');
    client.terminate();
  });

  it('describes the TLS connection', async () => {
    const pods = testPods();
    const mounts = [{ path: '/tls', volume: certificateVolume('echo.test') }];
    const tlsEnvironment = { TLS_SERVER_CERT: '/tls/tls.crt', TLS_SERVER_PRIVKEY: '/tls/tls.key' };
    const server = startImage(BASIC, { network: pods.left, environment: tlsEnvironment, mounts });
    await server.waitForLog(/port 8443 \(https\)/);
    const socket = await pods.right.connectTcp({ host: SERVER, port: 8443 });
    const secure = connectTls({ socket, servername: 'echo.test', rejectUnauthorized: false });
    const body = await new Promise<string>((resolve, reject) => {
      const request = requestHttps(
        { host: 'echo.test', path: '/secret', createConnection: () => secure },
        (response) => void readAll(response).then((bytes) => resolve(bytes.toString()), reject),
      );
      request.on('error', reject);
      request.end();
    });
    expect(JSON.parse(body)).toMatchObject({
      path: '/secret',
      tls: { version: 'TLSv1.3', serverName: 'echo.test', cipherSuite: expect.stringContaining('TLS_') },
    });
  });
});

describe('echo-advanced', () => {
  it('is echo-basic without ports', async () => {
    const pods = testPods();
    startImage(ADVANCED, { network: pods.left });
    await listening(pods.right, SERVER, 3000);
    expect((await ask(pods.right, `http://${SERVER}:3000/health`)).body).toBe('OK');
  });

  it('answers its own client in lines', async () => {
    const pods = testPods();
    const args = ['--metrics=15014', '--port', '80', '--port=8080', '--grpc=7070', '--version=v1'];
    const server = startImage(ADVANCED, { network: pods.left, hostname: 'echo-v1-x', args });
    await server.waitForLog(/Listening HTTP on 8080/);
    const client = startImage(ADVANCED, { network: pods.right, command: ['sleep', '600'] });
    const url = `http://${SERVER}:8080/path`;
    const { stdout, code } = await client.run(['client', url, '--method=POST', '-H', 'x-k: v', '--count=2']);
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    for (const line of [
      '[0] StatusCode=200',
      '[0 body] ServiceVersion=v1',
      '[0 body] ServicePort=8080',
      '[0 body] URL=/path',
      '[0 body] Method=POST',
      `[0 body] IP=${CLIENT}`,
      '[0 body] RequestHeader=X-K:v',
      '[1 body] Hostname=echo-v1-x',
    ]) {
      expect(lines).toContain(line);
    }
    expect((await client.run(['client', `http://${SERVER}:9/`])).code).toBe(1);
  });
});
