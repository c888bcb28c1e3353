import { describe, expect, test } from 'vitest';
import { Cubic } from './cubic.ts';
import { ScriptedPeer } from './peer.testkit.ts';

const MSS = 1000;
const RTT_US = 100_000;

/** A window of 100 segments that lost one at time 0. */
function afterLoss(): Cubic {
  const cubic = new Cubic(MSS);
  while (cubic.windowBytes < 100 * MSS) cubic.acknowledged(2 * MSS, 0, RTT_US);
  cubic.lost(100 * MSS);
  cubic.recovered(100 * MSS);
  return cubic;
}

/** Acknowledges a full window each round trip until `endUs`, in steps of two segments; answers the window after each. */
function roundTrips(cubic: Cubic, startUs: number, endUs: number): number[] {
  const windows: number[] = [];
  for (let nowUs = startUs; nowUs <= endUs; nowUs += RTT_US) {
    const acks = Math.floor(cubic.windowBytes / (2 * MSS));
    for (let i = 0; i < acks; i++) cubic.acknowledged(2 * MSS, nowUs + (i * RTT_US) / acks, RTT_US);
    windows.push(cubic.windowBytes);
  }
  return windows;
}

describe('CUBIC (RFC 9438)', () => {
  test('section 4.6: a loss leaves 0.7 of what was in flight, and never less than two segments', () => {
    expect(afterLoss().windowBytes).toBe(70 * MSS);
    const small = new Cubic(MSS);
    small.lost(MSS);
    expect(small.windowBytes).toBe(2 * MSS);
  });

  test('section 4.2: the window is back where the loss was after K seconds, flat there, and steep behind', () => {
    const cubic = afterLoss();
    const plateauUs = Math.cbrt(30 / 0.4) * 1e6;
    const windows = roundTrips(cubic, 0, 2 * plateauUs);
    const middle = Math.floor(plateauUs / RTT_US);
    expect(windows[middle]! / MSS).toBeCloseTo(100, -0.5);
    const first = windows[5]! - windows[0]!;
    const flat = windows[middle + 2]! - windows[middle - 3]!;
    const last = windows.at(-1)! - windows.at(-6)!;
    expect(flat).toBeLessThan(first / 2);
    expect(last).toBeGreaterThan(2 * flat);
  });

  test('section 4.2: time in which the window was not the limit does not count', () => {
    const busy = afterLoss();
    const paused = afterLoss();
    roundTrips(busy, 0, 1e6);
    roundTrips(paused, 0, 1e6);
    const [next] = roundTrips(busy, 1_100_000, 1_100_000);
    const [late] = roundTrips(paused, 61_100_000, 61_100_000);
    expect(Math.abs(late! - next!)).toBeLessThan(MSS);
  });

  test('section 4.3: on a short path it grows no slower than its estimate of Reno', () => {
    const cubic = afterLoss();
    const rttUs = 1000;
    for (let trip = 0; trip < 40; trip++) {
      for (let i = 0; i < 40; i++) cubic.acknowledged(2 * MSS, trip * rttUs + i * 25, rttUs);
    }
    expect(cubic.windowBytes).toBeGreaterThan((70 + 15) * MSS);
  });

  test('section 4.7: a second loss below the first gives up more (fast convergence)', () => {
    const again = afterLoss();
    again.lost(70 * MSS);
    const windows = roundTrips(again, 0, 20e6);
    const still = windows.filter((bytes) => Math.abs(bytes - 59.5 * MSS) < MSS).length;
    expect(still).toBeGreaterThan(5);
  });

  test('section 4.8: after a time-out one segment, and a threshold of 0.7 of the flight', () => {
    const cubic = afterLoss();
    cubic.timedOut(70 * MSS, true);
    expect(cubic.windowBytes).toBe(MSS);
    expect(cubic.slowStartThresholdBytes).toBe(49 * MSS);
    cubic.timedOut(MSS, false);
    expect(cubic.slowStartThresholdBytes).toBe(49 * MSS);
  });

  test('section 4.9: a loss that was none is undone', () => {
    const cubic = afterLoss();
    roundTrips(cubic, 0, 1e6);
    const { windowBytes, slowStartThresholdBytes } = cubic;
    cubic.lost(windowBytes);
    expect(cubic.windowBytes).toBeLessThan(windowBytes);
    cubic.undoLoss();
    expect(cubic).toMatchObject({ windowBytes, slowStartThresholdBytes });
  });

  test('is the default; NewReno can be chosen', () => {
    const nameIn = (peer: ScriptedPeer): string => peer.connectToHost().connection.sender.congestion.name;
    expect(nameIn(new ScriptedPeer())).toBe('cubic');
    expect(nameIn(new ScriptedPeer({ congestionControl: 'reno' }))).toBe('reno');
  });
});
