/** Every order in which two ends can open, close and break a connection, over a bad cable. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Host } from '../../shared/netstack/host.ts';
import { ip } from '../../shared/netstack/network.testkit.ts';
import type { TcpConnection } from '../../shared/netstack/tcp/connection.ts';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import { baseSeed, Simulation, simulate } from './simulation.ts';

const QUIET_US = 400_000_000;
const BAD: ImpairmentChange = { delayUs: 2500, jitterUs: 1500, loss: 0.1, duplicate: 0.1 };

interface Pair {
  readonly a: Host;
  readonly b: Host;
  readonly client: TcpConnection;
  readonly server: TcpConnection;
  readonly closed: Map<TcpConnection, string | null>;
}

function connected(simulation: Simulation, faults: ImpairmentChange): Pair {
  const a = simulation.host('a');
  const b = simulation.host('b');
  simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', faults);
  const closed = new Map<TcpConnection, string | null>();
  let accepted: TcpConnection | undefined;
  b.tcp.listen({ port: 80 }).onConnection = (connection) => {
    accepted = connection;
  };
  const client = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 });
  simulation.runUntil(() => accepted !== undefined && client.state === 'ESTABLISHED');
  const server = accepted!;
  for (const end of [client, server]) end.onClose = (error) => closed.set(end, error);
  return { a, b, client, server, closed };
}

type Step = 'client writes' | 'server writes' | 'client ends' | 'server ends' | 'time passes';
const steps: readonly Step[] = ['client writes', 'server writes', 'client ends', 'server ends', 'time passes'];

test('any order of writing and ending delivers all that was written, and leaves nothing behind', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...steps), { maxLength: 12 }), fc.nat(1000), (plan, offset) => {
      const simulation = new Simulation(baseSeed() + offset);
      const { a, b, client, server, closed } = connected(simulation, BAD);
      const written = new Map([client, server].map((end) => [end, 0]));
      const received = new Map([client, server].map((end) => [end, 0]));
      for (const end of [client, server]) {
        end.onData = (bytes) => received.set(end, received.get(end)! + bytes.length);
      }
      const write = (end: TcpConnection): void => {
        written.set(end, written.get(end)! + end.write(new Uint8Array(3000)));
      };
      for (const step of plan) {
        if (step === 'client writes') write(client);
        else if (step === 'server writes') write(server);
        else if (step === 'client ends') client.end();
        else if (step === 'server ends') server.end();
        else simulation.run(2500);
      }
      client.end();
      server.end();
      simulation.runUntil(() => closed.size === 2);
      // The end in LAST-ACK may have waited for an acknowledgement that TIME-WAIT gave; either way it is in order.
      expect([...closed.values()]).toEqual([null, null]);
      expect(received.get(server)).toBe(written.get(client));
      expect(received.get(client)).toBe(written.get(server));
      simulation.run(QUIET_US);
      expect([...a.tcp.list(), ...b.tcp.list()]).toEqual([]);
      expect(simulation.memory.inUse).toBe(0);
      expect(simulation.engine.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
    }),
    { seed: baseSeed(), numRuns: 60 },
  );
});

describe('openings', () => {
  test('simultaneous: both ends connect to each other at once', () =>
    simulate((simulation) => {
      const a = simulation.host('a');
      const b = simulation.host('b');
      simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', { delayUs: 5000 });
      const first = a.tcp.connect({ localPort: 5000, remoteAddress: ip('10.0.0.2'), remotePort: 6000 });
      const second = b.tcp.connect({ localPort: 6000, remoteAddress: ip('10.0.0.1'), remotePort: 5000 });
      const got: string[] = [];
      first.onData = (bytes) => got.push(`first ${bytes.length}`);
      second.onData = (bytes) => got.push(`second ${bytes.length}`);
      simulation.run(1_000_000);
      expect([first.state, second.state]).toEqual(['ESTABLISHED', 'ESTABLISHED']);
      first.write(new Uint8Array(10));
      second.write(new Uint8Array(20));
      simulation.run(1_000_000);
      expect(got.sort()).toEqual(['first 20', 'second 10']);
    }, 3));

  test('refused, over a cable that loses', () =>
    simulate((simulation) => {
      const a = simulation.host('a');
      const b = simulation.host('b');
      simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', BAD);
      let closed: string | null = null;
      a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 }).onClose = (error) => {
        closed = error;
      };
      simulation.runUntil(() => closed !== null);
      expect(closed).toBe('ECONNREFUSED');
    }, 5));

  test('to a host that is not there: ETIMEDOUT after the SYN retries', () =>
    simulate((simulation) => {
      const a = simulation.host('a');
      const b = simulation.host('b');
      simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', { partition: true });
      let closed: string | null = null;
      const startUs = simulation.engine.nowUs;
      a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 }).onClose = (error) => {
        closed = error;
      };
      simulation.runUntil(() => closed !== null);
      expect(closed).toBe('ETIMEDOUT');
      // 1 + 2 + 4 + 8 + 16 + 32 + 64 s, as Linux takes with tcp_syn_retries = 6.
      expect(Math.round((simulation.engine.nowUs - startUs) / 1e6)).toBe(127);
    }));
});

describe('breaks', () => {
  test('half-open: the peer rebooted, and its reset ends the connection', () =>
    simulate((simulation) => {
      const { b, client, server, closed } = connected(simulation, { delayUs: 1000 });
      // The rebooted host knows nothing of the connection, and tells nobody.
      b.tcp.forget(server);
      client.write(new Uint8Array(100));
      simulation.runUntil(() => closed.has(client));
      expect(closed.get(client)).toBe('ECONNRESET');
    }));

  test('abort resets the other end', () =>
    simulate((simulation) => {
      const { client, server, closed } = connected(simulation, { delayUs: 1000 });
      client.abort();
      simulation.runUntil(() => closed.size === 2);
      expect(closed.get(client)).toBe(null);
      expect(closed.get(server)).toBe('ECONNRESET');
    }));

  test('a cable cut while data is on the way: ETIMEDOUT, and no memory lost', () =>
    simulate((simulation) => {
      const a = simulation.host('a');
      const b = simulation.host('b');
      const cable = simulation.cable(a, '10.0.0.1/24', b, '10.0.0.2/24', { delayUs: 1000 });
      b.tcp.listen({ port: 80 });
      const client = a.tcp.connect({ remoteAddress: ip('10.0.0.2'), remotePort: 80 });
      let closed: string | null = null;
      client.onClose = (error) => {
        closed = error;
      };
      client.write(new Uint8Array(500_000));
      simulation.run(5000);
      cable.impair({ partition: true });
      simulation.runUntil(() => closed !== null);
      expect(closed).toBe('ETIMEDOUT');
      simulation.run(QUIET_US);
      expect(simulation.memory.inUse).toBe(0);
    }));

  test('a paused reader stops the writer, and nothing is lost when it goes on', () =>
    simulate((simulation) => {
      const { client, server } = connected(simulation, { delayUs: 1000, loss: 0.02 });
      let received = 0;
      server.onData = (bytes) => {
        received += bytes.length;
      };
      server.pause();
      let written = 0;
      const pump = (): void => {
        while (written < 5_000_000) {
          const chunk = new Uint8Array(Math.min(50_000, 5_000_000 - written));
          const taken = client.write(chunk);
          written += taken;
          if (taken < chunk.length) return;
        }
      };
      client.onWritable = pump;
      pump();
      simulation.run(60_000_000);
      expect(received).toBe(0);
      expect(server.receiver.queuedBytes).toBeLessThanOrEqual(server.host.tcp.settings.receiveBufferBytes + 64);
      expect(written).toBeLessThan(3_000_000);
      server.resume();
      simulation.runUntil(() => received === 5_000_000);
    }, 3));
});
