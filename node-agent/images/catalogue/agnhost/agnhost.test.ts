import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { askHealth } from '../../../../shared/podnet/grpc-health.ts';
import { FileNode } from '../../files/file-node.ts';
import { emptyVolume } from '../../files/volume.ts';
import { readAll } from '../../program-io.ts';
import { certificateVolume } from '../certificate.testkit.ts';
import { ask, askUdp, listening, readTcp } from '../http-client.testkit.ts';
import { CLIENT, SERVER, startImage, testPods } from '../pods.testkit.ts';

async function netexec(args: readonly string[] = []) {
  const pods = testPods();
  const server = startImage('agnhost', { network: pods.left, hostname: 'web-0', args: ['netexec', ...args] });
  await server.waitForLog(/Started HTTP server on port \d+\n/);
  return { pods, server, get: (path: string) => ask(pods.right, `http://${SERVER}:8080${path}`) };
}

describe('netexec over HTTP', () => {
  it('answers names, addresses and echoes', async () => {
    const { get } = await netexec();
    expect((await get('/hostname')).body).toBe('web-0');
    expect((await get('/hostName')).body).toBe('web-0');
    expect((await get('/clientip')).body).toMatch(new RegExp(`^${CLIENT}:\\d+$`));
    expect(await get('/echo?msg=hello%20you&code=201')).toMatchObject({ status: 201, body: 'hello you' });
    expect((await get('/echo?code=x')).status).toBe(400);
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/')).body).toMatch(/^NOW: /);
    expect((await get('/nothing')).status).toBe(404);
    expect(await get('/redirect?location=/hostname&code=307')).toMatchObject({
      status: 307,
      headers: { location: '/hostname' },
    });
  });

  it('reads a header back', async () => {
    const { pods } = await netexec();
    const answer = await ask(pods.right, `http://${SERVER}:8080/header?key=X-Colour`, {
      headers: { 'x-colour': 'red' },
    });
    expect(answer.body).toBe('red');
  });

  it('runs shell commands and says how they ended', async () => {
    const { get } = await netexec();
    const shell = async (command: string) =>
      JSON.parse((await get(`/shell?shellCommand=${encodeURIComponent(command)}`)).body);
    expect(await shell('echo $((1+1)); echo bad >&2')).toEqual({ output: '2\nbad\n' });
    expect(await shell('exit 3')).toEqual({ error: 'exit status 3' });
    expect(JSON.parse((await get('/shell?cmd=hostname')).body)).toEqual({ output: 'web-0\n' });
  });

  it('ends with the code it is asked for', async () => {
    const { get, server } = await netexec();
    expect((await get('/exit?code=7')).status).toBe(200);
    expect((await server.container.ended).exitCode).toBe(7);
  });

  it('shuts down, and its port is free again', async () => {
    const { get, server, pods } = await netexec();
    await get('/shutdown');
    expect((await server.container.ended).exitCode).toBe(0);
    const again = startImage('agnhost', { network: pods.left, args: ['netexec'] });
    await again.waitForLog(/Started HTTP server/);
    expect((await get('/healthz')).status).toBe(200);
  });

  it('ends with 2 on SIGTERM, as a Go program that is process 1', async () => {
    const { server } = await netexec();
    server.container.signal('SIGTERM');
    expect(await server.container.ended).toEqual({ exitCode: 2, signal: undefined });
  });

  it('serves on during --delay-shutdown', async () => {
    const { server, get } = await netexec(['--delay-shutdown', '600']);
    server.container.signal('SIGTERM');
    await server.waitForLog(/Sleeping 600 seconds/);
    expect((await get('/healthz')).status).toBe(200);
  });

  it('says when a port is taken', async () => {
    const { pods } = await netexec();
    const second = startImage('agnhost', { network: pods.left, args: ['netexec', '--udp-port=9000'] });
    expect((await second.container.ended).exitCode).toBe(1);
    expect(second.log()).toMatch(/listen tcp :8080: bind: address already in use/);
  });

  it('names a flag that it does not know', async () => {
    const pods = testPods();
    const server = startImage('agnhost', { network: pods.left, args: ['netexec', '--htp-port=1'] });
    expect((await server.container.ended).exitCode).toBe(1);
    expect(server.log()).toContain('unknown flag: --htp-port');
  });
});

describe('netexec over UDP', () => {
  it.each([
    ['hostname', 'web-0'],
    ['hostName\n', 'web-0'],
    ['echo one two', 'one two'],
  ])('%j', async (question, answer) => {
    const { pods } = await netexec();
    expect(await askUdp(pods.right, SERVER, 8081, question)).toBe(answer);
  });

  it('tells the client its address', async () => {
    const { pods } = await netexec(['--udp-port=5353']);
    expect(await askUdp(pods.right, SERVER, 5353, 'clientip')).toMatch(new RegExp(`^${CLIENT}:\\d+$`));
  });
});

describe('netexec /dial', () => {
  async function dialled(parameters: string) {
    const { pods, get } = await netexec();
    const other = startImage('agnhost', { network: pods.right, hostname: 'far', args: ['netexec'] });
    await other.waitForLog(/Started HTTP/);
    const { body, status } = await get(`/dial?${parameters}`);
    return { body: status === 200 ? JSON.parse(body) : body, status };
  }

  it.each(['http', 'udp'])('asks another pod over %s', async (protocol) => {
    const port = protocol === 'http' ? 8080 : 8081;
    const { body } = await dialled(`request=hostname&protocol=${protocol}&host=${CLIENT}&port=${port}&tries=2`);
    expect(body).toEqual({ responses: ['far', 'far'] });
  });

  it.each(['http', 'udp'])('reports a refused %s', async (protocol) => {
    const { body } = await dialled(`request=hostname&protocol=${protocol}&host=${CLIENT}&port=4&tries=1`);
    expect(body.responses).toBeUndefined();
    expect(body.errors).toHaveLength(1);
    expect(body.errors[0]).toContain('connection refused');
  });

  it.each(['host=&port=80', 'host=a&port=0', 'host=a&port=80&tries=0', 'host=a&port=80&protocol=carrier-pigeon'])(
    'refuses %s',
    async (parameters) => {
      expect((await dialled(parameters)).status).toBe(400);
    },
  );
});

describe('connect', () => {
  async function connect(...args: readonly string[]) {
    const { pods } = await netexec();
    return startImage('agnhost', { network: pods.right }).run(['/agnhost', 'connect', ...args]);
  }

  it.each([
    [`${SERVER}:8080`],
    [`${SERVER}:8080`, '--timeout=2s'],
    [`${SERVER}:8081`, '--protocol=udp', '--timeout=2s'],
  ])('says nothing when %s answers', async (...args) => {
    expect(await connect(...args)).toEqual({ stdout: '', stderr: '', code: 0 });
  });

  it.each([
    ['REFUSED', [`${SERVER}:81`]],
    ['REFUSED', [`${SERVER}:81`, '--protocol=udp', '--timeout=2s']],
    ['TIMEOUT', ['10.244.1.77:80', '--timeout=30ms']],
    ['TIMEOUT', ['10.244.1.77:80', '--timeout=30ms', '--protocol', 'udp']],
    ['DNS', ['nobody.example:80']],
    ['OTHER', [`${SERVER}:80`, '--protocol=sctp']],
    ['OTHER', ['nowhere']],
  ])('says %s for %s', async (word, args) => {
    const { stdout, stderr, code } = await connect(...args);
    expect({ stdout, code }).toEqual({ stdout: '', code: 1 });
    expect(stderr.startsWith(word)).toBe(true);
  });
});

describe('serve-hostname', () => {
  it('over HTTP, on 9376', async () => {
    const pods = testPods();
    const server = startImage('agnhost', { network: pods.left, hostname: 'web-1', args: ['serve-hostname'] });
    await server.waitForLog(/Serving on http port 9376/);
    expect((await ask(pods.right, `http://${SERVER}:9376/`)).body).toBe('web-1');
  });

  it('over TCP and UDP', async () => {
    const pods = testPods();
    const args = ['serve-hostname', '--tcp', '--udp', '--http=false', '--port', '80'];
    const server = startImage('agnhost', { network: pods.left, hostname: 'web-1', args });
    await server.waitForLog(/Serving on tcp port 80/);
    expect(await readTcp(pods.right, SERVER, 80)).toBe('web-1');
    expect(await askUdp(pods.right, SERVER, 80, 'x')).toBe('web-1');
  });
});

describe('porter', () => {
  const environment = { SERVE_UDP_PORT_53: 'datagram', SERVE_PORT_80: 'eighty', SERVE_TCP_PORT_81: 'more' };

  it('serves what its environment says', async () => {
    const pods = testPods();
    startImage('agnhost', { network: pods.left, environment, args: ['porter'] });
    await listening(pods.right, SERVER, 81);
    expect((await ask(pods.right, `http://${SERVER}/`)).body).toBe('eighty');
    expect((await ask(pods.right, `http://${SERVER}:81/`)).body).toBe('more');
    expect(await askUdp(pods.right, SERVER, 53, 'x')).toBe('datagram');
  });

  it('in JSON', async () => {
    const pods = testPods();
    startImage('agnhost', { network: pods.left, environment, args: ['porter', '--json-response'] });
    await listening(pods.right, SERVER, 80);
    const { body } = await ask(pods.right, `http://${SERVER}/`, { method: 'PUT' });
    expect(JSON.parse(body)).toEqual({ Method: 'PUT', Body: 'eighty' });
  });
});

describe('TLS', () => {
  it.each([
    [
      'netexec',
      ['netexec', '--http-port=443', '--tls-cert-file=/tls/tls.crt', '--tls-private-key-file=/tls/tls.key'],
      {},
    ],
    ['porter', ['porter'], { SERVE_TLS_PORT_443: 'secret', CERT_FILE: '/tls/tls.crt', KEY_FILE: '/tls/tls.key' }],
  ])('%s serves with the certificate that it is given', async (_name, args, environment) => {
    const pods = testPods();
    const mounts = [{ path: '/tls', volume: certificateVolume('web.test') }];
    startImage('agnhost', { network: pods.left, args, environment, mounts });
    await listening(pods.right, SERVER, 443);
    const socket = await pods.right.connectTcp({ host: SERVER, port: 443 });
    const secure = connectTls({ socket, servername: 'web.test', rejectUnauthorized: false });
    secure.write('GET / HTTP/1.1\r\nHost: web.test\r\nConnection: close\r\n\r\n');
    expect((await readAll(secure)).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});

describe('other subcommands', () => {
  it('tell what the resolver was told', async () => {
    const agnhost = startImage('agnhost', {
      network: testPods().left,
      resolvConf: 'nameserver 10.96.0.10\nnameserver 10.0.0.1\nsearch a.b c\n',
      etcHosts: '127.0.0.1\tlocalhost\n10.1.1.1\tfoo\n',
    });
    expect((await agnhost.run(['/agnhost', 'dns-suffix'])).stdout).toBe('a.b,c\n');
    expect((await agnhost.run(['/agnhost', 'dns-server-list'])).stdout).toBe('10.96.0.10,10.0.0.1\n');
    expect((await agnhost.run(['/agnhost', 'etc-hosts'])).stdout).toContain('10.1.1.1\tfoo\n');
  });

  it('pause is the default, and unknown names are told the known ones', async () => {
    const agnhost = startImage('agnhost', { network: testPods().left });
    await agnhost.waitForLog(/^Paused$/m);
    const { stderr, code } = await agnhost.run(['/agnhost', 'dance']);
    expect(code).toBe(1);
    expect(stderr).toContain('netexec');
  });

  it('test-webserver serves files', async () => {
    const pods = testPods();
    const volume = emptyVolume();
    volume.directory.set('a b.txt', new FileNode(Buffer.from('content')));
    const args = ['test-webserver'];
    startImage('agnhost', { network: pods.left, args, mounts: [{ path: '/data', volume }] });
    await listening(pods.right, SERVER, 80);
    expect(await ask(pods.right, `http://${SERVER}/data/a%20b.txt`)).toMatchObject({ status: 200, body: 'content' });
    expect((await ask(pods.right, `http://${SERVER}/data`)).body).toContain('a%20b.txt');
    expect((await ask(pods.right, `http://${SERVER}/data/../../none`)).status).toBe(404);
  });

  it('no-snat-test sees that nothing is translated', async () => {
    const pods = testPods();
    startImage('agnhost', { network: pods.left, args: ['no-snat-test'] });
    startImage('agnhost', { network: pods.right, args: ['no-snat-test'] });
    await listening(pods.right, SERVER, 8080);
    await listening(pods.left, CLIENT, 8080);
    expect((await ask(pods.right, `http://${SERVER}:8080/whoami`)).body).toBe(CLIENT);
    expect((await ask(pods.right, `http://${SERVER}:8080/checknosnat?ips=${CLIENT}:8080`)).status).toBe(200);
    const refused = await ask(pods.right, `http://${SERVER}:8080/checknosnat?ips=${CLIENT}:8081`);
    expect(refused).toMatchObject({ status: 500, body: expect.stringContaining('connection refused') });
  });

  it('net keeps a connection half closed', async () => {
    const pods = testPods();
    const server = startImage('agnhost', {
      network: pods.left,
      args: ['net', '--runner', 'nat-closewait-server', '--options', '{"LocalAddr":"0.0.0.0:11302"}'],
    });
    const options = JSON.stringify({ RemoteAddr: `${SERVER}:11302` });
    const client = startImage('agnhost', {
      network: pods.right,
      args: ['net', '--runner', 'nat-closewait-client', '--options', options],
    });
    expect((await client.container.ended).exitCode).toBe(0);
    expect((await server.container.ended).exitCode).toBe(0);
    expect(server.log()).toContain(`connection from ${CLIENT}:`);
  });
});

describe('probes', () => {
  it('grpc-health-checking is well until it is told not to be', async () => {
    const pods = testPods();
    const server = startImage('agnhost', { network: pods.left, args: ['grpc-health-checking', '--service=db'] });
    await server.waitForLog(/gRPC health checking/);
    const health = async (name: string) => {
      const socket = await pods.right.connectTcp({ host: SERVER, port: 5000 });
      return askHealth(socket, `${SERVER}:5000`, name, AbortSignal.timeout(10_000));
    };
    expect([await health(''), await health('db')]).toMatchObject([{ status: 'SERVING' }, { status: 'SERVING' }]);
    expect(await health('other')).toEqual({ code: 5, message: 'unknown service: other' });
    expect((await ask(pods.right, `http://${SERVER}:8080/make-not-serving`)).status).toBe(200);
    expect(await health('db')).toMatchObject({ code: 0, status: 'NOT_SERVING' });
  });

  it('liveness begins well', async () => {
    const pods = testPods();
    startImage('agnhost', { network: pods.left, args: ['liveness'] });
    await listening(pods.right, SERVER, 8080);
    expect(await ask(pods.right, `http://${SERVER}:8080/healthz`)).toMatchObject({ status: 200, body: 'ok' });
    expect((await ask(pods.right, `http://${SERVER}:8080/other`)).status).toBe(404);
  });
});
