import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RIGHT_ADDRESS } from '../../../../shared/podnet/pod-pair.testkit.ts';
import { waitFor } from '../../../../test/wait-for.ts';
import { startTestContainer, type TestContainer } from '../../container.testkit.ts';
import { nextChunk } from '../../program-io.ts';
import { ALL_NETWORK } from '../toolset.ts';
import { startTwoPods, type TwoPods } from '../two-pods.testkit.ts';
import { ControlChannel, newCookie, STATE } from './control.ts';
import { encodeParameters } from './parameters.ts';
import { reportRow } from './report.ts';
import { decodeResults } from './running-test.ts';

let pods: TwoPods;
let server: TestContainer;

beforeAll(async () => {
  pods = await startTwoPods();
  server = startTestContainer({ network: pods.right, programs: ALL_NETWORK });
});
afterAll(async () => {
  server.container.signal('SIGKILL');
  await server.container.ended;
  await pods.close();
});

/** Starts a server for one test; `printed` resolves once it ended. */
async function serveOnce(port: number): Promise<{ readonly printed: Promise<{ stdout: string }> }> {
  const printed = server.sh(`iperf3 -s -1 -p ${port}`);
  // A connection that says nothing is no test.
  const probe = await waitFor('the server to listen', () =>
    pods.left
      .connectTcp({ host: RIGHT_ADDRESS, port })
      .catch((error: { code?: string }) => (error.code === 'ECONNREFUSED' ? undefined : Promise.reject(error))),
  );
  probe.destroy();
  return { printed };
}

describe('iperf3', () => {
  it('sends for a time, and both ends count the same', async () => {
    const { printed } = await serveOnce(5201);
    const { stdout, stderr, code } = await pods.client.sh(`iperf3 -c ${RIGHT_ADDRESS} -t 0.5 -i 0.2`);
    expect([stderr, code]).toEqual(['', 0]);
    expect(stdout).toMatch(
      /^Connecting to host 10\.244\.1\.3, port 5201\n\[ {2}5\] local 10\.244\.1\.2 port \d+ connected to 10\.244\.1\.3 port 5201\n\[ ID\] Interval {11}Transfer {5}Bitrate\n/,
    );
    expect(stdout).toMatch(/sender\n\[ {2}5\] {3}0\.00-\d\.\d\d {3}sec .* receiver\n\niperf Done\.\n$/);
    expect((await printed).stdout).toMatch(/Server listening on 5201 \(test #1\)[\s\S]* receiver\n$/);
  });

  it('sends so many bytes over several streams', async () => {
    const { printed } = await serveOnce(5202);
    const { stdout } = await pods.client.sh(`iperf3 -c web -p 5202 -n 2M -P 2 -l 64K -J`);
    const { end } = JSON.parse(stdout);
    expect(end.sum_sent.bytes).toBe(2 * 1024 * 1024);
    expect(end.streams).toHaveLength(2);
    expect((await printed).stdout).toContain('[SUM]');
  });

  it('takes from the server with -R, no faster than it is told', async () => {
    const { printed } = await serveOnce(5203);
    const { stdout } = await pods.client.sh(`iperf3 -c ${RIGHT_ADDRESS} -p 5203 -R -t 1 -b 8M -l 10K -J`);
    const { end } = JSON.parse(stdout);
    expect(end.sum_received.bytes).toBeGreaterThan(100_000);
    expect(end.sum_sent.bits_per_second).toBeLessThan(16_000_000);
    expect((await printed).stdout).toMatch(/ sender\n$/);
  });

  it('ends what it sends before it says its results: the original reads a stream to its end first', async () => {
    const { printed } = await serveOnce(5204);
    const { signal } = new AbortController();
    const where = { host: RIGHT_ADDRESS, port: 5204 };
    const cookie = newCookie();
    const socket = await pods.left.connectTcp(where);
    const control = new ControlChannel(socket, signal);
    socket.write(cookie);
    expect(await control.receiveState()).toBe(STATE.paramExchange);
    const test = { seconds: 1, bytes: 0, streams: 1, blockBytes: 1000, reverse: true, bitsPerSecond: 0 };
    control.sendJson(encodeParameters(test));
    expect(await control.receiveState()).toBe(STATE.createStreams);
    const data = await pods.left.connectTcp(where);
    data.write(cookie);
    expect(await control.receiveState()).toBe(STATE.testStart);
    expect(await control.receiveState()).toBe(STATE.testRunning);
    control.sendState(STATE.testEnd);
    let bytes = 0;
    for (let chunk = await nextChunk(data, signal); chunk !== undefined; chunk = await nextChunk(data, signal)) {
      bytes += chunk.length;
    }
    expect(await control.receiveState()).toBe(STATE.exchangeResults);
    control.sendJson({ sender_has_retransmits: -1, streams: [{ id: 1, bytes }] });
    expect(decodeResults(await control.receiveJson())[0]?.bytes).toBe(bytes);
    expect(await control.receiveState()).toBe(STATE.displayResults);
    control.sendState(STATE.done);
    socket.end();
    expect((await printed).stdout).toMatch(/ sender\n$/);
  });

  it('ends as by SIGPIPE when nobody reads what it prints, in the middle of a test too', async () => {
    for (const [port, lines] of [
      [5205, 3],
      [5206, 6],
    ]) {
      const printed = server.sh(`(iperf3 -s -i 0.1 -p ${port}; echo $? >/tmp/code) | head -n ${lines}; cat /tmp/code`);
      await waitFor('the server to end a test', async () => {
        const { stderr } = await pods.client.sh(`iperf3 -c ${RIGHT_ADDRESS} -p ${port} -t 1`);
        return stderr === 'iperf3: error - control socket has closed unexpectedly\n';
      });
      expect((await printed).stdout).toMatch(/\n141\n$/);
    }
  });

  it('says what is wrong', async () => {
    expect(await pods.client.sh(`iperf3 -c ${RIGHT_ADDRESS} -p 5999`)).toEqual({
      stdout: '',
      stderr: 'iperf3: error - unable to connect to server: Connection refused\n',
      code: 1,
    });
    expect((await pods.client.sh('iperf3')).stderr).toContain('must either be a client (-c) or server (-s)');
  });
});

it('formats rows as the original does', () => {
  const row = { id: 5, fromSeconds: 0, toSeconds: 1, bytes: 12_582_912 } as const;
  expect(reportRow(row)).toBe('[  5]   0.00-1.00   sec  12.0 MBytes   101 Mbits/sec                  ');
  expect(reportRow({ ...row, role: 'receiver' })).toBe(
    '[  5]   0.00-1.00   sec  12.0 MBytes   101 Mbits/sec                  receiver',
  );
  expect(reportRow({ ...row, role: 'sender', retransmits: 0 })).toBe(
    '[  5]   0.00-1.00   sec  12.0 MBytes   101 Mbits/sec    0             sender',
  );
  expect(reportRow({ ...row, id: 'SUM' })).toBe(
    '[SUM]   0.00-1.00   sec  12.0 MBytes   101 Mbits/sec                  ',
  );
});
