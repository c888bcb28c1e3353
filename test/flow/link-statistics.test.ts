/** Faults of links as programs in pods meet them: 20,000 datagrams over whole nodes, within bounds that chance keeps 999 times of 1,000. */
import { describe, expect, test } from 'vitest';
import type { ImpairmentChange } from '../../shared/rules/impairment.ts';
import { startTransfer } from '../sim/transfer.ts';
import { ip, TestCluster } from './cluster.testkit.ts';

const DATAGRAMS = 20_000;
const GAP_US = 50;
/** Of a normal distribution, both sides together a thousandth. */
const DEVIATIONS = 3.29;
const SERVER = '10.244.2.6';
const PORT = 9;

interface Experience {
  readonly lost: number;
  readonly runsOfLosses: number;
  readonly repeated: number;
  /** That came before one that was sent earlier. */
  readonly early: number;
}

function world(change: ImpairmentChange) {
  const cluster = new TestCluster(2, 1, { traced: false, captures: false });
  const client = cluster.pod('10.244.1.5').host;
  const server = cluster.pod(SERVER).host;
  cluster.udpServer(server, PORT + 1);
  cluster.ask(client, SERVER, PORT + 1); // neighbours are known from here on
  const settings = { seed: 7, freshSeed: 7, durationUs: Number.POSITIVE_INFINITY };
  cluster.node(1).faults.set([{ kind: 'peer', node: 'worker-2' }], change, settings);
  return { cluster, client, server };
}

function experience(change: ImpairmentChange): Experience {
  const { cluster, client, server } = world(change);
  const arrivals: number[] = [];
  server.udp.bind({ port: PORT }).onMessage = (data) =>
    void arrivals.push(new DataView(data.buffer, data.byteOffset).getUint32(0));
  const socket = client.udp.bind({});
  const data = new Uint8Array(64);
  for (let number = 0; number < DATAGRAMS; number++) {
    new DataView(data.buffer).setUint32(0, number);
    socket.sendTo(data, ip(SERVER), PORT);
    cluster.advance(GAP_US);
    cluster.captured.length = 0;
  }
  cluster.advance(1_000_000);
  return told(arrivals);
}

function told(arrivals: readonly number[]): Experience {
  const seen = new Set(arrivals);
  const isLost = (number: number): boolean => !seen.has(number);
  const numbers = Array.from({ length: DATAGRAMS }, (_, number) => number);
  let early = 0;
  let next = 0;
  const here = new Set<number>();
  for (const number of arrivals) {
    here.add(number);
    while (next < DATAGRAMS && (here.has(next) || isLost(next))) next++;
    if (number >= next) early++;
  }
  return {
    lost: numbers.filter(isLost).length,
    runsOfLosses: numbers.filter((number) => isLost(number) && !(number > 0 && isLost(number - 1))).length,
    repeated: arrivals.length - seen.size,
    early,
  };
}

/** `spread`: by how much neighbours that are alike widen the variance. */
function expectShare(count: number, of: number, probability: number, spread = 1): void {
  const deviation = Math.sqrt(of * probability * (1 - probability) * spread);
  expect(Math.abs(count - of * probability)).toBeLessThan(DEVIATIONS * deviation);
}

describe('20,000 datagrams', () => {
  test('lose a tenth, each by itself', () => {
    const { lost, runsOfLosses, repeated, early } = experience({ loss: 0.1 });
    expectShare(lost, DATAGRAMS, 0.1);
    expectShare(lost - runsOfLosses, lost, 0.1);
    expect([repeated, early]).toEqual([0, 0]);
  });

  test('lose a tenth, of which half take after the one before', () => {
    const { lost, runsOfLosses } = experience({ loss: 0.1, lossCorrelation: 0.5 });
    expectShare(lost, DATAGRAMS, 0.1, 3);
    expectShare(lost - runsOfLosses, lost, 0.55, 3);
  });

  test('lose bursts of ten', () => {
    const burstLoss = { toBad: 0.01, toGood: 0.1, lossInBad: 1, lossInGood: 0 };
    const { lost, runsOfLosses } = experience({ burstLoss });
    // Two states, of which the next takes after this one by 1 - p - r.
    expectShare(lost, DATAGRAMS, 1 / 11, 1.89 / 0.11);
    expectShare(lost - runsOfLosses, lost, 0.9);
  });

  test('come twice', () => {
    const { lost, repeated } = experience({ duplicate: 0.05 });
    expectShare(repeated, DATAGRAMS, 0.05);
    expect(lost).toBe(0);
  });

  test('come too early, where the others wait', () => {
    const { lost, early } = experience({ delayUs: 10_000, reorder: 0.25 });
    expectShare(early, DATAGRAMS, 0.25);
    expect(lost).toBe(0);
  });

  test('do not come where a bit was flipped', () => {
    expectShare(experience({ corrupt: 0.03 }).lost, DATAGRAMS, 0.03);
  });
});

test.each([
  [10e6, 100],
  [100e6, 1000],
])('TCP has %d bits a second of a link with a queue of %d packets', (rateBitsPerSecond, limitPackets) => {
  const { cluster, client, server } = world({ rateBitsPerSecond, limitPackets });
  const bytes = rateBitsPerSecond / 2;
  const options = { remoteAddress: ip(SERVER), port: 80, upBytes: bytes, downBytes: 0, seed: 1 };
  const transfer = startTransfer(client, server, options);
  const startUs = cluster.engine.nowUs;
  while (!transfer.done() && cluster.engine.nowUs < startUs + 60e6) cluster.advance(1000);
  expect(transfer.errors).toEqual([null, null]);
  const { passed } = cluster.node(1).faults.list()[0]!.counters;
  // What the rate is of: 1398 bytes of data make a frame of 1514 on the nodes' network.
  const wireBytes = bytes + passed * 116;
  const ratio = (wireBytes * 8e6) / (cluster.engine.nowUs - startUs) / rateBitsPerSecond;
  expect(ratio).toBeGreaterThan(0.95);
  expect(ratio).toBeLessThan(1.001);
});
