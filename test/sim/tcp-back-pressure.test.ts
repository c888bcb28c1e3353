/** Whoever reads in fits and starts is served to the end: there is no state in which each end waits for the other. */
import { describe, expect, test } from 'vitest';
import { ip } from '../../shared/netstack/network.testkit.ts';
import type { TcpConnection } from '../../shared/netstack/tcp/connection.ts';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import { ByteStream } from './byte-stream.ts';
import type { Cable } from './cable.ts';
import { Simulation, simulate } from './simulation.ts';
import { sendAll } from './transfer.ts';

const PORT = 7;
/** Of the pieces that come, so many make the client pause, for up to so long. */
const PAUSE_CHANCE = 0.3;
const LONGEST_PAUSE_US = 300_000;
/** Beside the client's pauses: delayed acknowledgements, and a time-out or two where a frame is lost. */
const LONGEST_TRANSFER_US = 5_000_000;

interface Course {
  /** Of each end, to receive and to send. */
  readonly bufferBytes: number;
  readonly bytes: number;
  /** Number of the frame that is lost. */
  readonly lostFrame?: number;
  readonly windowScaling?: boolean;
  readonly faults?: ImpairmentChange;
}

/** A client that writes a stream to a server that sends it back, and pauses its reading at random. */
class Echo {
  readonly cable: Cable;
  readonly client: TcpConnection;
  readonly errors: (string | null)[] = [];
  server: TcpConnection | null = null;
  /** Together. */
  pausesUs = 0;
  private readonly simulation: Simulation;
  private readonly bytes: number;

  constructor(simulation: Simulation, course: Course) {
    const { bufferBytes, bytes, windowScaling = true, lostFrame = -1, faults = {} } = course;
    this.simulation = simulation;
    this.bytes = bytes;
    const [near, far] = [simulation.host('near'), simulation.host('far')];
    const settings = { receiveBufferBytes: bufferBytes, sendBufferBytes: bufferBytes, windowScaling };
    for (const host of [near, far]) Object.assign(host.tcp.settings, settings);
    this.cable = simulation.cable(near, '10.0.0.1/24', far, '10.0.0.2/24', { delayUs: 500 });
    this.cable.lostFrame = lostFrame;
    far.tcp.listen({ address: ip('10.0.0.2'), port: PORT }).onConnection = (connection) => this.serve(connection);
    this.client = near.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: PORT });
    this.play();
    this.cable.impair(faults); // not of the SYN
  }

  private play(): void {
    const { client } = this;
    const { random, seed } = this.simulation;
    const [up, down] = [new ByteStream(seed, this.bytes), new ByteStream(seed, this.bytes)];
    sendAll(client, up, () => 1 + Math.floor(random() * 20_000));
    client.onData = (bytes) => {
      down.verify(bytes);
      if (random() < PAUSE_CHANCE) this.pause();
    };
    client.onEnd = () => expect(down.done).toBe(true);
    client.onClose = (error) => this.errors.push(error);
  }

  private pause(): void {
    const { engine, random } = this.simulation;
    const pauseUs = random() ** 3 * LONGEST_PAUSE_US;
    this.pausesUs += pauseUs;
    this.client.pause();
    engine.schedule(engine.nowUs + pauseUs, () => this.client.resume());
  }

  /** Reads nothing while there is no room to write what was read. */
  private serve(connection: TcpConnection): void {
    this.server = connection;
    const unwritten: Uint8Array[] = [];
    let ended = false;
    const pump = (): void => {
      for (;;) {
        const first = unwritten[0];
        if (first === undefined) break;
        const taken = connection.write(first);
        if (taken < first.length) {
          unwritten[0] = first.subarray(taken);
          connection.pause();
          return;
        }
        unwritten.shift();
      }
      if (ended) connection.end();
      else if (connection.receiver.paused) connection.resume();
    };
    connection.onData = (bytes) => {
      unwritten.push(bytes.slice());
      pump();
    };
    connection.onWritable = pump;
    connection.onEnd = () => {
      ended = true;
      pump();
    };
    connection.onClose = (error) => this.errors.push(error);
  }
}

/** An echo that came to its end. */
function echoed(simulation: Simulation, course: Course): Echo {
  const startUs = simulation.engine.nowUs;
  const echo = new Echo(simulation, course);
  simulation.runUntil(() => echo.errors.length === 2);
  expect(echo.errors).toEqual([null, null]);
  expect(simulation.engine.nowUs - startUs - echo.pausesUs).toBeLessThan(LONGEST_TRANSFER_US);
  return echo;
}

// A shift of 0 where 64 KiB are enough, and buffers of which the shift leaves a rest.
describe.each([700, 3000, 20_000, 100_001, 300_003])('with buffers of %i bytes', (bufferBytes) => {
  const bytes = 15 * bufferBytes;

  test.each([true, false])('nothing is sent in vain, with window scaling: %s', (windowScaling) => {
    simulate((simulation) => {
      const { client, server } = echoed(simulation, { bufferBytes, bytes, windowScaling });
      expect([client.counters.retransmits, server!.counters.retransmits]).toEqual([0, 0]);
    }, 5);
  });
});

test.each([
  { bufferBytes: 3000, bytes: 40_000 },
  { bufferBytes: 70_001, bytes: 500_000 },
])('whichever frame is lost, with buffers of $bufferBytes bytes', (course) => {
  simulate(({ seed }) => {
    let frames = 1;
    for (let lostFrame = 0; lostFrame < frames; lostFrame++) {
      frames = echoed(new Simulation(seed), { ...course, lostFrame }).cable.frames;
    }
    expect(frames).toBeGreaterThan(50);
  });
});

// In both, the end of the flight is sent again and is shorter than a segment: what was never sent must not go along.
test.each([
  { seed: 9512, loss: 0.05, reorder: 0 },
  { seed: 9537, loss: 0.003, reorder: 0.1 },
])('frames lost and swapped, with seed $seed', ({ seed, ...faults }) => {
  echoed(new Simulation(seed), { bufferBytes: 70_001, bytes: 500_000, faults });
});
