import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { BusyMeter, COMPILERS_LATER } from './compilers.ts';

function fills(meter: BusyMeter, share: number, windows: number): number | undefined {
  for (let window = 1; window <= windows; window++) if (meter.add(250 * share, 250)) return window;
  return undefined;
}

describe('BusyMeter', () => {
  it.each([
    [1, 2],
    [0.5, 4],
    [0.2, 14],
  ])('at %d of a core a process is busy after %d windows', (share, windows) => {
    expect(fills(new BusyMeter(), share, 1000)).toBe(windows);
  });

  it('a process that seldom gets a processor is busy all the same', () => {
    const meter = new BusyMeter();
    let looks = 1;
    while (!meter.add(40, 1000)) looks++;
    expect(looks).toBe(21);
  });

  it('time that a process waited for events is not time that it waited for a processor', () => {
    const meter = new BusyMeter();
    for (let look = 0; look < 10_000; look++) expect(meter.add(40, 1000, 960)).toBe(false);
  });

  it('a burst after a long wait counts in full', () => {
    expect(new BusyMeter().add(450, 60_450, 60_000)).toBe(true);
  });

  it('an idle process never is, nor one with bursts that it pauses between', () => {
    expect(fills(new BusyMeter(), 0.05, 100_000)).toBeUndefined();
    const meter = new BusyMeter();
    for (let burst = 0; burst < 100; burst++) {
      expect(meter.add(250, 250)).toBe(false);
      expect(fills(meter, 0.01, 20)).toBeUndefined();
    }
  });
});

describe('compileWhenBusy', () => {
  /** Whether a hot function runs optimised (bit 4 of the status that V8 tells) before and after the process was busy. */
  const PROGRAM = `
    import { compileWhenBusy } from ${JSON.stringify(new URL('./compilers.ts', import.meta.url).href)};
    function hot(n) { let sum = 0; for (let i = 0; i < n; i++) sum += i % 7; return sum; }
    const isOptimised = () => (%GetOptimizationStatus(hot) & (1 << 4)) !== 0;
    for (let i = 0; i < 20_000; i++) hot(100);
    const before = isOptimised();
    compileWhenBusy();
    const work = () => {
      for (let i = 0; i < 20_000; i++) hot(100);
      if (isOptimised()) console.log(JSON.stringify({ before, after: true }));
      else setImmediate(work);
    };
    work();
  `;

  it('does not wake an idle process, nor keep it from its end', async () => {
    const program = `
      import { compileWhenBusy } from ${JSON.stringify(new URL('./compilers.ts', import.meta.url).href)};
      compileWhenBusy();
      let turns = 0;
      const count = () => { turns++; setImmediate(count).unref(); };
      setImmediate(count).unref();
      setTimeout(() => console.log(turns), 900);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    // With a look four times a second there would be three more.
    expect(Number(stdout)).toBeLessThan(4);
  });

  it('a busy process has its code optimised, and none before', async () => {
    const args = [...COMPILERS_LATER, '--allow-natives-syntax', '--input-type=module', '-e', PROGRAM];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(JSON.parse(stdout)).toEqual({ before: false, after: true });
  });
});
