/**
 * iperf3: measures TCP throughput, between emulated pods and with the real one (3.x) at the other end. Not emulated: UDP, SCTP,
 * `--bidir`, and what a socket knows of itself (retransmissions, congestion window).
 */
import type { Writable } from 'node:stream';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { type ClientOutcome, runClient } from './client.ts';
import { ControlError } from './control.ts';
import { DEFAULT_BLOCK_BYTES, DEFAULT_SECONDS, parseAmount, type TestParameters, VERSION } from './parameters.ts';
import { finalReport } from './report.ts';
import { Iperf3Server } from './server.ts';

const DEFAULT_PORT = 5201;

export const iperf3: Utility = async (run) => {
  const options = parseOptions(run.args, {
    flags: 's1RJ46VuZNv',
    values: 'cptnPlibBwMCfO',
    long: {
      server: 's',
      'client=': 'c',
      'port=': 'p',
      'time=': 't',
      'bytes=': 'n',
      'parallel=': 'P',
      'length=': 'l',
      'interval=': 'i',
      'bitrate=': 'b',
      'bandwidth=': 'b',
      reverse: 'R',
      json: 'J',
      udp: 'u',
      'one-off': '1',
      'no-delay': 'N',
      version: 'v',
    },
  });
  if (options.has('v')) {
    await write(run.context.stdout, `iperf ${VERSION}\n`);
    return 0;
  }
  if (options.has('u')) throw new UsageError('UDP tests are not emulated');
  const host = options.value('c');
  if (options.has('s') === (host !== undefined)) {
    throw new UsageError('parameter error - must either be a client (-c) or server (-s)');
  }
  return host === undefined ? serve(run, options) : measure(run, options, host);
};

/** Lines of several tasks at once: when their reader is gone, all of them are told to end, and the program ends as by SIGPIPE. */
class Output {
  readonly signal: AbortSignal;
  private readonly gone = new AbortController();
  private readonly stdout: Writable;

  constructor({ context }: Invocation) {
    this.stdout = context.stdout;
    this.signal = AbortSignal.any([context.signal, this.gone.signal]);
  }

  readonly print = async (line: string): Promise<void> => {
    try {
      await write(this.stdout, `${line}\n`);
    } catch (error) {
      this.gone.abort(error);
    }
  };

  throwIfGone(): void {
    this.gone.signal.throwIfAborted();
  }
}

async function serve(run: Invocation, options: ParsedOptions): Promise<number> {
  const { network } = run.context.container;
  const port = options.number('p') ?? DEFAULT_PORT;
  const output = new Output(run);
  try {
    const listener = await network.listenTcp({ port, allowHalfOpen: true });
    const server = new Iperf3Server(listener, {
      port,
      intervalSeconds: amountOf(options, 'i', 1, 1),
      once: options.has('1'),
      print: output.print,
      signal: output.signal,
    });
    await server.run();
    output.throwIfGone();
    return 0;
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    return complain(run, `unable to start listener for connections: ${socketErrorText(code)}`);
  }
}

async function measure(run: Invocation, options: ParsedOptions, host: string): Promise<number> {
  const { container } = run.context;
  const json = options.has('J');
  const output = new Output(run);
  const { signal } = output;
  const print = json ? async () => undefined : output.print;
  const port = options.number('p') ?? DEFAULT_PORT;
  try {
    const address = await container.resolver.lookupOne(host, signal);
    const outcome = await runClient({
      network: container.network,
      host,
      address,
      port,
      intervalSeconds: amountOf(options, 'i', 1, 1),
      test: testOf(options),
      print,
      signal,
    });
    await write(run.context.stdout, json ? `${JSON.stringify(jsonOf(outcome), null, '\t')}\n` : textOf(outcome));
    return 0;
  } catch (error) {
    output.throwIfGone();
    if (error instanceof ControlError) return complain(run, error.message);
    if (error instanceof ResolveError) return complain(run, 'unable to connect to server: Bad file descriptor');
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    return complain(run, `unable to connect to server: ${socketErrorText(code)}`);
  }
}

async function complain({ context }: Invocation, problem: string): Promise<number> {
  await write(context.stderr, `iperf3: error - ${problem}\n`);
  return 1;
}

/** An amount in powers of `base`. */
function amountOf(options: ParsedOptions, name: string, base: number, fallback: number): number {
  const text = options.value(name);
  const value = text === undefined ? fallback : parseAmount(text, base);
  if (Number.isNaN(value)) throw new UsageError(`-${name} ${text}: expected a number such as 10 or 10M`);
  return value;
}

function testOf(options: ParsedOptions): TestParameters {
  return {
    seconds: amountOf(options, 't', 1, DEFAULT_SECONDS),
    bytes: amountOf(options, 'n', 1024, 0),
    streams: amountOf(options, 'P', 1, 1),
    blockBytes: amountOf(options, 'l', 1024, DEFAULT_BLOCK_BYTES),
    reverse: options.has('R'),
    bitsPerSecond: amountOf(options, 'b', 1000, 0),
  };
}

function textOf({ test, peer }: ClientOutcome): string {
  return `${[...finalReport(test.totals(peer), test.seconds), '', 'iperf Done.'].join('\n')}\n`;
}

/** The parts of the original's document that scripts read. */
function jsonOf({ test, peer }: ClientOutcome): object {
  const { seconds, parameters } = test;
  const side = (bytes: number) => ({ start: 0, end: seconds, seconds, bytes, bits_per_second: (bytes * 8) / seconds });
  const totals = test.totals(peer);
  const sum = (value: 'sentBytes' | 'receivedBytes'): number =>
    totals.reduce((all, total) => all + (total[value] ?? 0), 0);
  return {
    start: {
      version: `iperf ${VERSION}`,
      test_start: {
        protocol: 'TCP',
        num_streams: parameters.streams,
        blksize: parameters.blockBytes,
        omit: 0,
        duration: parameters.seconds,
        bytes: parameters.bytes,
        blocks: 0,
        reverse: parameters.reverse ? 1 : 0,
      },
    },
    end: {
      streams: totals.map(({ id, sentBytes = 0, receivedBytes = 0 }) => ({
        sender: { socket: id, ...side(sentBytes), sender: test.sends },
        receiver: { socket: id, ...side(receivedBytes), sender: test.sends },
      })),
      sum_sent: { ...side(sum('sentBytes')), sender: test.sends },
      sum_received: { ...side(sum('receivedBytes')), sender: test.sends },
    },
  };
}
