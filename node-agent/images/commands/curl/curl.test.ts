import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenHttp } from '../../../../shared/podnet/http.ts';
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { LEFT_ADDRESS, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { readAll } from '../../program-io.ts';
import { startTwoPods, type TwoPods } from '../two-pods.testkit.ts';

let pods: TwoPods;
let failuresLeft = 0;

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://web');
  switch (url.pathname) {
    case '/echo': {
      const body = (await readAll(request)).toString();
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body }));
      return;
    }
    case '/missing':
      response.writeHead(404).end('gone\n');
      return;
    case '/moved':
      response.writeHead(302, { Location: '/' }).end();
      return;
    case '/loop':
      response.writeHead(302, { Location: '/loop' }).end();
      return;
    case '/flaky':
      if (failuresLeft > 0) {
        failuresLeft -= 1;
        response.writeHead(503).end('busy\n');
      } else response.end('at last\n');
      return;
    case '/slow':
      response.write('begin\n');
      return;
    case '/ticks': {
      const ticking = setInterval(() => response.write('tick\n'), 5);
      response.once('close', () => clearInterval(ticking));
      return;
    }
    case '/cut':
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('short', () => response.destroy());
      return;
    default:
      response.end('hello\n');
  }
}

beforeAll(async () => {
  pods = await startTwoPods();
  await listenHttp(pods.right, { port: 80 }, (request, response) => void serve(request, response));
  await listenHttp(pods.right, { port: 8080 }, (_request, response) => void response.end('other port\n'));
  const silent = await pods.right.listenTcp({ port: 81 });
  silent.on('connection', (socket: PodTcpSocket) => socket.resume());
  const empty = await pods.right.listenTcp({ port: 82 });
  empty.on('connection', (socket: PodTcpSocket) => {
    socket.resume();
    socket.end();
  });
  const reset = await pods.right.listenTcp({ port: 83 });
  reset.on('connection', (socket: PodTcpSocket) => socket.once('data', () => socket.resetAndDestroy()));
});
afterAll(() => pods.close());

const curl = (args: string, stdin?: string): Promise<{ stdout: string; stderr: string; code: number }> =>
  pods.client.sh(`curl ${args}`, stdin);

describe('curl', () => {
  it('gets a page by address and by service name', async () => {
    expect(await curl(`-s http://${RIGHT_ADDRESS}/`)).toEqual({ stdout: 'hello\n', stderr: '', code: 0 });
    expect(await curl('-s web')).toEqual({ stdout: 'hello\n', stderr: '', code: 0 });
    expect(pods.questions).toContain('A web.default.svc.cluster.local');
    expect(pods.questions).toContain('AAAA web.default.svc.cluster.local');
  });

  it('prints the status code and nothing else', async () => {
    const format = "-s -o /dev/null -w '%{http_code}'";
    expect((await curl(`${format} http://web/`)).stdout).toBe('200');
    expect((await curl(`${format} http://web/missing`)).stdout).toBe('404');
    expect(await curl(`${format} http://web:9/`)).toEqual({ stdout: '000', stderr: '', code: 7 });
  });

  it('tells who answered and how long it took', async () => {
    const { stdout } = await curl(
      "-s -o /dev/null -w '%{remote_ip}:%{remote_port} %{local_ip} %{size_download} %{time_total}\\n' http://web/",
    );
    expect(stdout).toMatch(new RegExp(`^${RIGHT_ADDRESS}:80 ${LEFT_ADDRESS} 6 \\d+\\.\\d{6}\\n$`));
  });

  it.each([
    [
      'refused',
      '-sS http://web:9/',
      7,
      /^curl: \(7\) Failed to connect to web port 9 after \d+ ms: Could not connect to server\n$/,
    ],
    ['an unknown name', '-sS http://nowhere.example/', 6, /^curl: \(6\) Could not resolve host: nowhere\.example\n$/],
    [
      'a connect time-out',
      '-sS --connect-timeout 0.1 http://10.244.1.200/',
      28,
      /^curl: \(28\) Connection timed out after \d+ milliseconds\n$/,
    ],
    [
      'a time-out without an answer',
      '-sS -m 1 http://web:81/',
      28,
      /^curl: \(28\) Operation timed out after \d+ milliseconds with 0 bytes received\n$/,
    ],
    [
      'a time-out in the middle',
      '-sS --max-time 1 http://web/slow',
      28,
      /^curl: \(28\) Operation timed out after \d+ milliseconds with 6 bytes received\n$/,
    ],
    ['an empty reply', '-sS http://web:82/', 52, /^curl: \(52\) Empty reply from server\n$/],
    ['a reset', '-sS http://web:83/', 56, /^curl: \(56\) Recv failure: Connection reset by peer\n$/],
    ['a page that ends early', '-sS http://web/cut', 18, /^curl: \(18\) end of response with 95 bytes missing\n$/],
    ['an HTTP error with -f', '-sSf http://web/missing', 22, /^curl: \(22\) The requested URL returned error: 404\n$/],
    [
      'too many redirects',
      '-sSL --max-redirs 3 http://web/loop',
      47,
      /^curl: \(47\) Maximum \(3\) redirects followed\n$/,
    ],
    ['another protocol', '-sS ftp://web/', 1, /^curl: \(1\) Protocol "ftp" not supported\n$/],
    ['an unknown option', '--nonsense', 2, /^curl: option --nonsense: is unknown\n/],
    ['no URL', '', 2, /no URL specified/],
  ])('fails as the original: %s', async (_name, args, code, message) => {
    const result = await curl(args);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
  });

  it('sends methods, headers and data', async () => {
    const { stdout } = await curl(
      "-s -X PUT -H 'X-Test: yes' -H 'Host: other' -A agent -u a:b -d x=1 -d y=2 'http://web/echo?q=a%20b'",
    );
    const seen = JSON.parse(stdout);
    expect(seen).toMatchObject({ method: 'PUT', url: '/echo?q=a%20b', body: 'x=1&y=2' });
    expect(seen.headers).toMatchObject({
      host: 'other',
      'x-test': 'yes',
      'user-agent': 'agent',
      authorization: 'Basic YTpi',
      'content-type': 'application/x-www-form-urlencoded',
      accept: '*/*',
    });
    expect(JSON.parse((await curl('-s --data-binary @- http://web/echo', 'from\nstdin')).stdout).body).toBe(
      'from\nstdin',
    );
    expect(JSON.parse((await curl('-sG --data-urlencode "a=b c" http://web/echo')).stdout).url).toBe('/echo?a=b%20c');
    expect(JSON.parse((await curl("-s --json '{}' http://web/echo")).stdout).headers['content-type']).toBe(
      'application/json',
    );
  });

  it('shows headers, follows redirects, writes files', async () => {
    expect((await curl('-si http://web/')).stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n(.+\r\n)+\r\nhello\n$/);
    expect((await curl('-sI http://web/')).stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect((await curl('-sL http://web/moved')).stdout).toBe('hello\n');
    expect((await pods.client.sh('cd /tmp; curl -s -o page http://web/; cat page')).stdout).toBe('hello\n');
  });

  it('shows the meter when it is not told to be silent', async () => {
    const { stderr } = await curl('http://web/');
    expect(stderr).toMatch(/% Total {4}% Received % Xferd/);
  });

  it('talks about what it does with -v', async () => {
    const { stderr } = await curl('-sv http://web/');
    expect(stderr).toContain(`*   Trying ${RIGHT_ADDRESS}:80...\n* Connected to web (${RIGHT_ADDRESS}) port 80\n`);
    expect(stderr).toContain('> GET / HTTP/1.1\n> Host: web\n');
    expect(stderr).toContain('< HTTP/1.1 200 OK\n');
  });

  it('goes where --resolve, --connect-to and --interface say', async () => {
    expect((await curl(`-s --resolve pinned.test:80:${RIGHT_ADDRESS} http://pinned.test/`)).stdout).toBe('hello\n');
    expect((await curl('-s --connect-to pinned.test:80:web:8080 http://pinned.test/')).stdout).toBe('other port\n');
    expect((await curl(`-s --interface ${LEFT_ADDRESS} http://web/`)).stdout).toBe('hello\n');
  });

  it('tries again', async () => {
    failuresLeft = 2;
    const { stdout, code } = await curl('-s --retry 3 --retry-delay 0.01 http://web/flaky');
    expect([stdout.endsWith('at last\n'), code]).toEqual([true, 0]);
    const refused = await curl("-sS --retry 2 --retry-delay 0.01 --retry-connrefused -w '%{http_code}' http://web:9/");
    expect([refused.stdout, refused.stderr.match(/curl: /g)?.length]).toEqual(['000', 1]);
    const startedMs = performance.now();
    expect((await curl('-s --retry 2 --retry-delay 0.02 --retry-connrefused http://web:9/')).code).toBe(7);
    expect(performance.now() - startedMs).toBeGreaterThan(35);
  });

  it('streams: what came is written at once', async () => {
    const { stdout } = await pods.client.sh('curl -sN http://web/ticks | head -n 2');
    expect(stdout).toBe('tick\ntick\n');
  });

  it('is used in loops', async () => {
    const script = "for i in $(seq 0 3); do echo; curl -g -q -s --connect-timeout 1 'http://web/?i='$i; done";
    expect((await pods.client.sh(script)).stdout).toBe('\nhello\n\nhello\n\nhello\n\nhello\n');
  });
});
