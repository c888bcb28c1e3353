import { describe, expect, it } from 'vitest';
import { FileNode } from '../../files/file-node.ts';
import { emptyVolume, projectedVolume, type Volume } from '../../files/volume.ts';
import { ask, listening, type TestRequest } from '../http-client.testkit.ts';
import { CLIENT, SERVER, startImage, testPods } from '../pods.testkit.ts';

interface Setting {
  readonly configuration?: string;
  readonly html?: Volume;
  readonly port?: number;
}

async function nginx({ configuration, html, port = 80 }: Setting = {}) {
  const pods = testPods();
  const files = configuration === undefined ? undefined : { 'default.conf': { bytes: Buffer.from(configuration) } };
  const server = startImage('nginx:1.27', {
    network: pods.left,
    hostname: 'web-0',
    mounts: [
      ...(files === undefined ? [] : [{ path: '/etc/nginx/conf.d', volume: projectedVolume(files) }]),
      ...(html === undefined ? [] : [{ path: '/usr/share/nginx/html', volume: html }]),
    ],
  });
  await listening(pods.right, SERVER, port);
  const get = (path: string, request?: TestRequest) => ask(pods.right, `http://${SERVER}:${port}${path}`, request);
  return { pods, server, get };
}

function volumeOf(files: Readonly<Record<string, string>>): Volume {
  return projectedVolume(
    Object.fromEntries(Object.entries(files).map(([path, text]) => [path, { bytes: Buffer.from(text) }])),
  );
}

describe('nginx as it comes', () => {
  it('serves its page', async () => {
    const { get } = await nginx();
    const answer = await get('/');
    expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'text/html' } });
    expect(answer.headers.server).toMatch(/^nginx\//);
    expect(answer.body).toContain('Welcome to nginx!');
  });

  it('writes access and error log', async () => {
    const { get, server } = await nginx();
    await get('/', { headers: { 'user-agent': 'test/1', referer: 'http://a/' } });
    await server.waitForLog(
      new RegExp(
        `^${CLIENT} - - \\[\\d\\d/\\w{3}/\\d{4}:[\\d:]{8} \\+0000\\] "GET / HTTP/1.1" 200 \\d+ "http://a/" "test/1" "-"$`,
        'm',
      ),
    );
    expect((await get('/nothing?a=b')).body).toContain('<h1>404 Not Found</h1>');
    await server.waitForLog(/"GET \/nothing\?a=b HTTP\/1.1" 404 \d+ "-" "-" "-"\n/);
    expect(server.log()).toContain('open() "/usr/share/nginx/html/nothing" failed (2: No such file or directory)');
  });

  it('refuses what a static server cannot do', async () => {
    const { get } = await nginx();
    expect((await get('/', { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await get('/../../etc/passwd')).status).toBe(404);
    expect((await get('/%2e%2e/%2e%2e/etc/passwd')).status).toBe(404);
    expect(await get('/', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  it.each(['SIGTERM', 'SIGQUIT'] as const)('ends with 0 on %s', async (signal) => {
    const { server, get } = await nginx();
    await get('/');
    server.container.signal(signal);
    expect(await server.container.ended).toEqual({ exitCode: 0, signal: undefined });
  });

  it('tests its configuration and passes signals on', async () => {
    const { server } = await nginx();
    expect(await server.run(['nginx', '-t'])).toMatchObject({ code: 0, stderr: expect.stringContaining('successful') });
    expect((await server.run(['nginx', '-v'])).stderr).toMatch(/^nginx version: nginx\//);
    expect((await server.run(['nginx', '-s', 'quit'])).code).toBe(0);
    expect((await server.container.ended).exitCode).toBe(0);
  });

  it('starts from a shell line that writes its page', async () => {
    const pods = testPods();
    const script = 'echo "I am $HOSTNAME" > /usr/share/nginx/html/index.html && exec nginx -g "daemon off;"';
    startImage('nginx', { network: pods.left, command: ['/bin/sh', '-c', script], environment: { HOSTNAME: 'web-7' } });
    await listening(pods.right, SERVER, 80);
    expect((await ask(pods.right, `http://${SERVER}/`)).body).toBe('I am web-7\n');
  });

  it('listens on 8080 in the unprivileged image', async () => {
    const pods = testPods();
    startImage('nginxinc/nginx-unprivileged:1', { network: pods.left });
    await listening(pods.right, SERVER, 8080);
    expect((await ask(pods.right, `http://${SERVER}:8080/`)).status).toBe(200);
  });
});

describe('mounted files', () => {
  it('are served with types, validators, ranges and redirects', async () => {
    const html = volumeOf({ 'index.html': 'mounted', 'a/data.json': '{"n":1}', 'empty/x': '' });
    const { get } = await nginx({ html });
    expect((await get('/')).body).toBe('mounted');
    const json = await get('/a/data.json');
    expect(json).toMatchObject({ body: '{"n":1}', headers: { 'content-type': 'application/json' } });
    const { etag = '', 'last-modified': modified = '' } = json.headers;
    expect((await get('/a/data.json', { headers: { 'if-none-match': etag } })).status).toBe(304);
    expect((await get('/a/data.json', { headers: { 'if-modified-since': modified } })).status).toBe(304);
    expect(await get('/a/data.json', { headers: { range: 'bytes=1-3' } })).toMatchObject({
      status: 206,
      body: '"n"',
      headers: { 'content-range': 'bytes 1-3/7' },
    });
    expect((await get('/a/data.json', { headers: { range: 'bytes=90-' } })).status).toBe(416);
    expect(await get('/a')).toMatchObject({ status: 301, headers: { location: `http://${SERVER}/a/` } });
    expect((await get('/empty/')).status).toBe(403);
  });

  it('of an emptyDir change under the server', async () => {
    const html = emptyVolume();
    const { get } = await nginx({ html });
    expect((await get('/')).status).toBe(403);
    html.directory.set('index.html', new FileNode(Buffer.from('later')));
    expect((await get('/')).body).toBe('later');
  });
});

describe('nginx.conf', () => {
  it('chooses servers by name and locations by their kind', async () => {
    const { get } = await nginx({
      configuration: `
        server { listen 80; server_name a.test; location / { return 200 "a\\n"; } }
        server {
          listen 80 default_server; server_name *.b.test; default_type text/plain;
          location = /exact { return 200 exact; }
          location /pre { return 200 "prefix $uri $arg_x"; }
          location ^~ /pre/final/ { return 200 final; }
          location ~* \\.(PNG|gif)$ { return 200 "regex $1"; }
          location /moved { return 301 /pre; }
          location /teapot { return 418; }
        }`.replaceAll('\\n', ''),
    });
    expect((await get('/', { headers: { host: 'a.test' } })).body).toBe('a');
    expect((await get('/exact', { headers: { host: 'x.b.test' } })).body).toBe('exact');
    expect((await get('/exacter')).status).toBe(404);
    expect((await get('/pre/x?x=7')).body).toBe('prefix /pre/x 7');
    expect((await get('/pre/final/y.gif')).body).toBe('final');
    expect((await get('/pre/y.gif')).body).toBe('regex gif');
    expect(await get('/moved')).toMatchObject({ status: 301, headers: { location: `http://${SERVER}/pre` } });
    expect((await get('/teapot')).status).toBe(418);
  });

  it('passes requests on, with headers and in turn', async () => {
    const { get, pods } = await nginx({
      port: 8080,
      configuration: `
        upstream both { server ${CLIENT}:81; server ${CLIENT}:80; }
        server {
          listen 8080;
          location / { proxy_pass http://${CLIENT}:80; proxy_set_header X-Real-IP $remote_addr; }
          location /api/ { proxy_pass http://${CLIENT}/; }
          location /pool { proxy_pass http://both; }
          location /down { proxy_pass http://${CLIENT}:9; error_page 502 /sorry; }
          location = /sorry { root /none; }
        }`,
    });
    const backend = startImage('agnhost', {
      network: pods.right,
      hostname: 'back',
      args: ['netexec', '--http-port=80'],
    });
    await backend.waitForLog(/Started HTTP/);
    expect((await get('/header?key=X-Real-IP')).body).toBe(CLIENT);
    expect((await get('/header?key=Host')).body).toBe(`${CLIENT}:80`);
    expect((await get('/api/echo?msg=through')).body).toBe('through');
    expect((await get('/pool')).status).toBe(404);
    expect((await get('/down')).status).toBe(502);
  });

  it('tries files and falls back', async () => {
    const { get } = await nginx({
      html: volumeOf({ 'index.html': 'app', 'real.txt': 'real' }),
      configuration: `server {
        listen 80; root /usr/share/nginx/html; index index.html;
        add_header X-Pod $hostname;
        location / { try_files $uri $uri/ /index.html; }
        location /strict { try_files $uri =404; }
      }`,
    });
    expect(await get('/real.txt')).toMatchObject({ body: 'real', headers: { 'x-pod': 'web-0' } });
    expect((await get('/some/route')).body).toBe('app');
    expect((await get('/')).body).toBe('app');
    expect((await get('/strict/x')).status).toBe(404);
  });

  it('reloads, and keeps what it has when the new one is wrong', async () => {
    const { get, server } = await nginx();
    const rewrite = (text: string) => server.sh(`cat > /etc/nginx/conf.d/default.conf && nginx -s reload`, text);
    await rewrite('server { listen 80; location / { return 200 second; } }');
    await server.waitForLog(/reconfiguring/);
    expect((await get('/')).body).toBe('second');
    await rewrite('server { listen 80; location / { return 200 third }');
    await server.waitForLog(/\[emerg\]/);
    expect((await get('/')).body).toBe('second');
  });

  it.each([
    ['server { listen 80', 'is not terminated by ";" in /etc/nginx/conf.d/default.conf:1'],
    ['server { listen 80; } }', 'unexpected "}" in /etc/nginx/conf.d/default.conf:1'],
    ['server {\n  listen 80;\n  location / {', 'unexpected end of file'],
    ['server { location ~ ( { } }', 'regular expression "("'],
  ])('refuses %j', async (configuration, sentence) => {
    const volume = projectedVolume({ 'default.conf': { bytes: Buffer.from(configuration) } });
    const mounts = [{ path: '/etc/nginx/conf.d', volume }];
    const server = startImage('nginx', { network: testPods().left, mounts });
    expect((await server.container.ended).exitCode).toBe(1);
    expect(server.log()).toContain('[emerg]');
    expect(server.log()).toContain(sentence);
  });
});
