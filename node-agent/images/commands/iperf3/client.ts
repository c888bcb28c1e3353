/** `iperf3 -c`: one test against a server. */
import type { PodNetwork } from '../../../../shared/podnet/pod-network.ts';
import { pause } from '../../program-io.ts';
import { ControlChannel, ControlError, newCookie, STATE } from './control.ts';
import { encodeParameters, type TestParameters } from './parameters.ts';
import { decodeResults, type PeerResults, RunningTest } from './running-test.ts';

export interface ClientOptions {
  readonly network: PodNetwork;
  /** As given, and what it resolves to. */
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly intervalSeconds: number;
  readonly test: TestParameters;
  readonly print: (line: string) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface ClientOutcome {
  readonly test: RunningTest;
  readonly peer: PeerResults;
}

/** Rejects with ControlError when the server refuses or goes, and with the socket's error when it cannot be reached. */
export async function runClient(options: ClientOptions): Promise<ClientOutcome> {
  const { network, address, port, print, signal, host } = options;
  const cookie = newCookie();
  const socket = await network.connectTcp({ host: address, port }, signal);
  socket.on('error', () => socket.destroy());
  const control = new ControlChannel(socket, signal);
  await print(`Connecting to host ${host}, port ${port}`);
  if (options.test.reverse) await print(`Reverse mode, remote host ${host} is sending`);
  socket.write(cookie);
  const test = new RunningTest(options.test, !options.test.reverse);
  try {
    await expectState(control, STATE.paramExchange);
    control.sendJson(encodeParameters(options.test));
    await expectState(control, STATE.createStreams);
    for (let stream = 0; stream < options.test.streams; stream++) {
      const data = await network.connectTcp({ host: address, port }, signal);
      data.write(cookie);
      await print(test.add(data));
    }
    await expectState(control, STATE.testStart);
    await expectState(control, STATE.testRunning);
    await measure(test, options);
    control.sendState(STATE.testEnd);
    await expectState(control, STATE.exchangeResults);
    control.sendJson(test.results());
    const peer = decodeResults(await control.receiveJson());
    await expectState(control, STATE.displayResults);
    control.sendState(STATE.done);
    return { test, peer };
  } finally {
    await test.stop();
    test.close();
    socket.end();
  }
}

/** Until the time is over or the bytes are sent. */
async function measure(test: RunningTest, { intervalSeconds, print, signal }: ClientOptions): Promise<void> {
  const { parameters } = test;
  const work = test.start();
  const reporting = test.reportIntervals(intervalSeconds, print);
  const enough = new AbortController();
  const time = pause(parameters.seconds * 1000, AbortSignal.any([signal, enough.signal]));
  await (parameters.bytes > 0 ? Promise.race([work, bytesThere(test, enough.signal)]) : time);
  enough.abort();
  await test.stop();
  await reporting;
}

const BYTES_POLL_MS = 10;

/** A receiver ends the test when what it was to get has come. */
async function bytesThere(test: RunningTest, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && test.streams.reduce((sum, { bytes }) => sum + bytes, 0) < test.parameters.bytes) {
    await pause(BYTES_POLL_MS, signal);
  }
}

async function expectState(control: ControlChannel, wanted: number): Promise<void> {
  const state = await control.receiveState();
  if (state === wanted) return;
  if (state === STATE.accessDenied) {
    throw new ControlError('the server is busy running a test. try again later');
  }
  if (state === undefined) throw new ControlError('control socket has closed unexpectedly');
  if (state === STATE.serverTerminate) throw new ControlError('the server has terminated');
  throw new ControlError(`the server sent state ${state} instead of ${wanted}`);
}
