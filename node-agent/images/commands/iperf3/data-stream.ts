/** One stream of a test: sends or takes bytes until it is told to stop, and counts them. */
import { setImmediate as turn } from 'node:timers/promises';
import type { PodTcpSocket } from '../../../../shared/podnet/pod-network.ts';
import { nextChunk, pause } from '../../program-io.ts';
import type { TestParameters } from './parameters.ts';

const PACING_MS = 1;
/** Between two pods of one process a stream would never wait for anything: timers and sockets have their turn so often. */
const TURN_EVERY_MS = 2;

export class DataStream {
  /** As the original counts them: the sockets' descriptors. */
  readonly id: number;
  readonly socket: PodTcpSocket;
  bytes = 0;
  private readonly stopped = new AbortController();

  constructor(id: number, socket: PodTcpSocket) {
    this.id = id;
    this.socket = socket;
    // What went wrong with a stream shows on the control connection.
    socket.on('error', () => this.stop());
  }

  /** Ends sending or taking. */
  stop(): void {
    this.stopped.abort();
  }

  async send(test: TestParameters): Promise<void> {
    const block = Buffer.alloc(test.blockBytes, 'iperf3 ');
    const limit = test.bytes > 0 ? Math.ceil(test.bytes / test.streams) : Number.POSITIVE_INFINITY;
    const startMs = performance.now();
    let turnMs = startMs;
    while (!this.stopped.signal.aborted && this.bytes < limit && !this.socket.destroyed) {
      if (test.bitsPerSecond > 0 && this.bytes * 8000 > test.bitsPerSecond * (performance.now() - startMs)) {
        await pause(PACING_MS, this.stopped.signal);
        continue;
      }
      const room = this.socket.write(block);
      this.bytes += block.length;
      if (!room) await this.drained();
      if (performance.now() - turnMs < TURN_EVERY_MS) continue;
      await turn();
      turnMs = performance.now();
    }
  }

  async take(): Promise<void> {
    for (;;) {
      const chunk = await nextChunk(this.socket, this.stopped.signal);
      if (chunk === undefined) return;
      this.bytes += chunk.length;
    }
  }

  private drained(): Promise<void> {
    const { signal } = this.stopped;
    return new Promise((resolve) => {
      const done = (): void => {
        this.socket.off('drain', done);
        this.socket.off('close', done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.socket.on('drain', done);
      this.socket.on('close', done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }
}

/** 1, 3, 4, ...: the original leaves out 2. */
export function streamNumber(index: number): number {
  return index === 0 ? 1 : index + 2;
}
