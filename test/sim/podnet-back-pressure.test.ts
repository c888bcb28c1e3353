/** An echo through Duplex sockets ends whatever the clock does between two turns: on a machine with much to do, it jumps. */
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { StackLoop } from '../../shared/podnet/deliveries.ts';
import type { PodTcpSocket } from '../../shared/podnet/pod-network.ts';
import { StackNetwork } from '../../shared/podnet/stack-network.ts';
import { baseSeed, Simulation } from './simulation.ts';

const ROUNDS = 4;
const TOTAL_BYTES = 4 * 1024 * 1024;
const BLOCK_BYTES = 64 * 1024;
/** Deadlines that may come to their time while nothing else happens. */
const MAX_IDLE_DEADLINES = 50;

/** What passes between two turns, in microseconds, for a number between 0 and 1. */
const CLOCKS = {
  'runs smoothly': (random: number) => random * 20,
  'stands still for a second now and then': (random: number) => (random < 0.02 ? random * 50_000_000 : random * 100),
  'often stands still for longer than a time-out': (random: number) => (random < 0.2 ? random * 1_500_000 : 50),
};

class JumpingLoop implements StackLoop {
  turns = 0;
  private readonly simulation: Simulation;
  private readonly jumpUs: (random: number) => number;
  private depth = 0;

  constructor(simulation: Simulation, jumpUs: (random: number) => number) {
    this.simulation = simulation;
    this.jumpUs = jumpUs;
  }

  run<Result>(call: () => Result): Result {
    const { engine, random } = this.simulation;
    this.turns++;
    if (this.depth === 0) engine.enter(engine.nowUs + this.jumpUs(random()));
    this.depth++;
    try {
      return call();
    } finally {
      if (--this.depth === 0) engine.drain();
    }
  }

  /** Runs until `isDone`: by itself as long as something happens in a turn of the event loop, and then from deadline to deadline. */
  async runUntil(isDone: () => boolean): Promise<void> {
    const { simulation } = this;
    for (let idle = 0; !isDone(); ) {
      const { turns } = this;
      await nextTurn();
      if (this.turns !== turns || isDone()) continue;
      const deadlineUs = simulation.engine.nextDeadlineUs();
      if (++idle > MAX_IDLE_DEADLINES || deadlineUs === Number.POSITIVE_INFINITY) throw new Error('both ends wait');
      simulation.engine.enter(deadlineUs);
      this.run(() => undefined);
    }
  }
}

async function echo(client: PodTcpSocket): Promise<number> {
  const send = async (): Promise<void> => {
    for (let sent = 0; sent < TOTAL_BYTES; sent += BLOCK_BYTES) {
      if (!client.write(Buffer.alloc(BLOCK_BYTES))) await once(client, 'drain');
    }
    client.end();
  };
  const receive = async (): Promise<number> => {
    let received = 0;
    for await (const part of client as AsyncIterable<Buffer>) received += part.length;
    return received;
  };
  const [received] = await Promise.all([receive(), send()]);
  return received;
}

async function echoOver(simulation: Simulation, jumpUs: (random: number) => number): Promise<number> {
  const [near, far] = [simulation.host('near'), simulation.host('far')];
  simulation.cable(near, '10.0.0.1/24', far, '10.0.0.2/24');
  const loop = new JumpingLoop(simulation, jumpUs);
  const [client, server] = [new StackNetwork({ host: near, loop }), new StackNetwork({ host: far, loop })];
  const listener = await server.listenTcp({ port: 7, allowHalfOpen: true });
  listener.on('connection', (socket: PodTcpSocket) => socket.pipe(socket));
  const socket = await client.connectTcp({ host: '10.0.0.2', port: 7, allowHalfOpen: true });
  let received: number | undefined;
  const echoed = echo(socket).then((bytes) => {
    received = bytes;
  });
  try {
    await Promise.race([echoed, loop.runUntil(() => received !== undefined)]);
    await echoed;
  } finally {
    client.close();
    server.close();
  }
  return received!;
}

test.each(Object.entries(CLOCKS))('with a clock that %s', async (_, jumpUs) => {
  for (let seed = baseSeed(); seed < baseSeed() + ROUNDS; seed++) {
    const echoed = echoOver(new Simulation(seed), jumpUs);
    await expect(echoed, `with PODWIRE_SEED=${seed}`).resolves.toBe(TOTAL_BYTES);
  }
});
