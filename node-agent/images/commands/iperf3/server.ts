/** `iperf3 -s`: one test after the other; who comes meanwhile is told that the server is busy. */
import type { PodTcpServer, PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { COOKIE_BYTES, ControlChannel, readExactly, STATE } from './control.ts';
import { decodeParameters } from './parameters.ts';
import { finalReport } from './report.ts';
import { decodeResults, RunningTest } from './running-test.ts';

export interface ServerOptions {
  readonly port: number;
  readonly intervalSeconds: number;
  /** Ends after one test. */
  readonly once: boolean;
  readonly print: (line: string) => Promise<void>;
  readonly signal: AbortSignal;
}

const RULE = '-----------------------------------------------------------';

interface CurrentTest {
  readonly cookie: Buffer;
  /** Takes the connections of streams. */
  readonly onStream: (socket: PodTcpSocket) => void;
}

export class Iperf3Server {
  private readonly options: ServerOptions;
  private readonly listener: PodTcpServer;
  private current: CurrentTest | undefined;
  private tests = 0;
  private finished: () => void = () => undefined;

  constructor(listener: PodTcpServer, options: ServerOptions) {
    this.listener = listener;
    this.options = options;
  }

  /** Resolves when it is told to stop. */
  async run(): Promise<void> {
    const { signal } = this.options;
    const stopped = new Promise<void>((resolve) => {
      this.finished = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.listener.on('connection', (socket: PodTcpSocket) => void this.accept(socket));
    await this.greet();
    await stopped;
    await this.listener.close();
  }

  private async greet(): Promise<void> {
    const { print, port } = this.options;
    this.tests++;
    for (const line of [RULE, `Server listening on ${port} (test #${this.tests})`, RULE]) await print(line);
  }

  private async accept(socket: PodTcpSocket): Promise<void> {
    const { print, signal } = this.options;
    // A connection that breaks ends the test that it belongs to.
    socket.on('error', () => socket.destroy());
    const cookie = await readExactly(socket, COOKIE_BYTES, signal);
    if (cookie === undefined) return;
    if (this.current !== undefined) {
      if (this.current.cookie.equals(cookie)) this.current.onStream(socket);
      else socket.end(Buffer.from([STATE.accessDenied]));
      return;
    }
    await print(`Accepted connection from ${socket.remoteAddress}, port ${socket.remotePort}`);
    try {
      await this.test(new ControlChannel(socket, signal), cookie);
    } catch (error) {
      await print(`iperf3: error - ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      socket.destroy();
      this.current = undefined;
    }
    if (this.options.once) this.finished();
    else await this.greet();
  }

  private async test(control: ControlChannel, cookie: Buffer): Promise<void> {
    const { print, intervalSeconds } = this.options;
    const arrived: PodTcpSocket[] = [];
    let wake: () => void = () => undefined;
    this.current = {
      cookie,
      onStream: (socket) => {
        arrived.push(socket);
        wake();
      },
    };
    control.sendState(STATE.paramExchange);
    const parameters = decodeParameters(await control.receiveJson());
    if (typeof parameters === 'string') {
      control.sendState(STATE.serverTerminate);
      throw new Error(parameters);
    }
    const test = new RunningTest(parameters, parameters.reverse);
    control.sendState(STATE.createStreams);
    const closed = new Promise<'closed'>((resolve) => control.socket.once('close', () => resolve('closed')));
    while (test.streams.length < parameters.streams) {
      const socket = arrived.shift();
      if (socket !== undefined) await print(test.add(socket));
      else {
        const next = new Promise<'stream'>((resolve) => {
          wake = () => resolve('stream');
        });
        if ((await Promise.race([next, closed])) === 'closed') throw new Error('the client has unexpectedly closed');
      }
    }
    control.sendState(STATE.testStart);
    control.sendState(STATE.testRunning);
    const sending = test.start();
    const reporting = test.reportIntervals(intervalSeconds, print);
    const said = await control.receiveState();
    await Promise.all([test.stop(), sending, reporting]);
    // Before the results: a client of the original that receives may read a stream to its end first.
    test.endStreams();
    try {
      if (said !== STATE.testEnd) throw new Error('the client has terminated');
      await this.exchange(control, test);
    } finally {
      test.close();
    }
  }

  private async exchange(control: ControlChannel, test: RunningTest): Promise<void> {
    control.sendState(STATE.exchangeResults);
    const peer = decodeResults(await control.receiveJson());
    control.sendJson(test.results());
    control.sendState(STATE.displayResults);
    // As the original: a server knows for certain only its own end.
    const totals = test.totals(peer).map((total) => ({
      ...total,
      ...(test.sends ? { receivedBytes: undefined } : { sentBytes: undefined, retransmits: undefined }),
    }));
    for (const line of finalReport(totals, test.seconds)) await this.options.print(line);
    await control.receiveState();
  }
}
