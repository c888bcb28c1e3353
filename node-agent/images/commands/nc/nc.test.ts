import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PodTcpSocket, SocketAddress } from '../../../../shared/podnet/pod-network.ts';
import { LEFT_ADDRESS, RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { waitFor } from '../../../../test/wait-for.ts';
import { readAll } from '../../program-io.ts';
import { startTwoPods, type TwoPods } from '../two-pods.testkit.ts';

let pods: TwoPods;
beforeAll(async () => {
  pods = await startTwoPods();
  const echo = await pods.right.listenTcp({ port: 7, allowHalfOpen: true });
  echo.on('connection', (socket: PodTcpSocket) => socket.pipe(socket));
  const udp = await pods.right.bindUdp({ port: 8081 });
  udp.on('message', (data: Uint8Array, from: SocketAddress) => {
    void udp.send(Buffer.from(`${Buffer.from(data).toString().trim()} from ${from.port}\n`), from.port, from.address);
  });
});
afterAll(() => pods.close());

/** Tries until the client's pod listens; between two tries the listener gets its turn, which no promise alone gives it. */
async function connectWhenListening(port: number): Promise<PodTcpSocket> {
  return waitFor(`port ${port} to be listened at`, () =>
    pods.right
      .connectTcp({ host: LEFT_ADDRESS, port, allowHalfOpen: true })
      .catch((error: { code?: string }) => (error.code === 'ECONNREFUSED' ? undefined : Promise.reject(error))),
  );
}

describe('nc', () => {
  it('connects and exchanges', async () => {
    expect(await pods.client.sh(`echo hi | nc ${RIGHT_ADDRESS} 7`)).toEqual({ stdout: 'hi\n', stderr: '', code: 0 });
  });

  it('asks over UDP and waits as long as it may', async () => {
    const { stdout, code } = await pods.client.sh(`echo hostName | nc -w 1 -u -p 40000 ${RIGHT_ADDRESS} 8081`);
    expect([stdout, code]).toEqual(['hostName from 40000\n', 0]);
  });

  it('probes ports', async () => {
    expect(await pods.client.sh('nc -v -z -w 2 web 7')).toEqual({
      stdout: '',
      stderr: `web (${RIGHT_ADDRESS}:7) open\n`,
      code: 0,
    });
    expect(await pods.client.sh('nc -v -z -t -w 2 web 9')).toEqual({
      stdout: '',
      stderr: `nc: web (${RIGHT_ADDRESS}:9): Connection refused\n`,
      code: 1,
    });
    expect((await pods.client.sh('nc -z web 5-8')).code).toBe(0);
    expect((await pods.client.sh('nc -vuz -w 1 web 9')).code).toBe(1);
    expect((await pods.client.sh('nc -vuz -w 1 web 8081')).code).toBe(0);
  });

  it('times out', async () => {
    const { stderr, code } = await pods.client.sh('nc -v -w 1 10.244.1.200 80 </dev/null');
    expect([stderr, code]).toEqual(['nc: 10.244.1.200 (10.244.1.200:80): Connection timed out\n', 1]);
  });

  it('listens', async () => {
    const listening = pods.client.sh('nc -l -p 9000 > /tmp/got; cat /tmp/got');
    const socket = await connectWhenListening(9000);
    socket.end('to the listener\n');
    expect((await listening).stdout).toBe('to the listener\n');
  });

  it('serves a command with -e', async () => {
    const serving = pods.client.sh('nc -l -p 9001 -e cat');
    const socket = await connectWhenListening(9001);
    socket.end('through cat');
    expect((await readAll(socket)).toString()).toBe('through cat');
    await serving;
  });

  it('says when a port is taken', async () => {
    const { stderr, code } = await pods.client.sh('nc -l -p 9002 & nc -l -p 9002; c=$?; kill $!; exit $c');
    expect([stderr, code]).toEqual(['nc: bind: Address already in use\n', 1]);
  });
});
