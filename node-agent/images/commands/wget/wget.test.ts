import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenHttp } from '../../../../shared/podnet/http.ts';
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { startTwoPods, type TwoPods } from '../two-pods.testkit.ts';

let pods: TwoPods;
beforeAll(async () => {
  pods = await startTwoPods();
  await listenHttp(pods.right, { port: 80 }, (request, response) => {
    if (request.url === '/missing') response.writeHead(404).end();
    else if (request.url === '/moved') response.writeHead(301, { Location: '/page.html' }).end();
    else response.end('hello\n');
  });
  const silent = await pods.right.listenTcp({ port: 81 });
  silent.on('connection', (socket: PodTcpSocket) => socket.resume());
});
afterAll(() => pods.close());

describe('wget', () => {
  it('writes to standard output', async () => {
    expect(await pods.client.sh('wget -q -O- http://web')).toEqual({ stdout: 'hello\n', stderr: '', code: 0 });
    expect(await pods.client.sh('wget -qO - -T 1 http://web/moved')).toEqual({
      stdout: 'hello\n',
      stderr: '',
      code: 0,
    });
  });

  it('saves under the name of the page and says what it does', async () => {
    const { stdout, stderr } = await pods.client.sh('cd /tmp; wget http://web/page.html && cat page.html');
    expect(stdout).toBe('hello\n');
    expect(stderr).toMatch(
      new RegExp(`^Connecting to web \\(${RIGHT_ADDRESS}:80\\)\nsaving to 'page.html'\n(.|\n)*'page.html' saved\n$`),
    );
  });

  it.each([
    ['a missing page', 'http://web/missing', 'wget: server returned error: HTTP/1.1 404 Not Found\n'],
    ['nobody there', 'http://web:9/', `wget: can't connect to remote host (${RIGHT_ADDRESS}): Connection refused\n`],
    ['an unknown name', 'http://nowhere.example/', "wget: bad address 'nowhere.example'\n"],
    ['silence', '-T 1 http://web:81/', 'wget: download timed out\n'],
  ])('fails: %s', async (_name, args, stderr) => {
    expect(await pods.client.sh(`wget -q -O- ${args}`)).toEqual({ stdout: '', stderr, code: 1 });
  });

  it('only looks with --spider', async () => {
    expect((await pods.client.sh('wget -q --spider http://web/')).code).toBe(0);
    expect((await pods.client.sh('wget -q --spider http://web/missing')).code).toBe(1);
  });

  it('logs as it goes in a loop that never ends', async () => {
    const { stdout } = await pods.client.sh('while wget -q -O- http://web; do sleep 0.01; done | head -n 3');
    expect(stdout).toBe('hello\nhello\nhello\n');
  });
});
