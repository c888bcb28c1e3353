import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PortRule, PortVerdicts } from './port-verdicts.ts';
import { StepFunction } from './step-function.ts';

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const tcp = (first: number, last = first) => ({ protocol: TCP, first, last });
const rule = (tier: number, action: PortRule['action'], ports: PortRule['ports'], cause: string): PortRule => ({
  tier,
  action,
  ports,
  cause,
  rule: null,
});

describe('PortVerdicts', () => {
  it('is open where no rule speaks', () => {
    const verdicts = new PortVerdicts([rule(1, 'deny', [tcp(80)], 'web is closed')]);
    expect(verdicts.decide(TCP, 80)).toEqual({
      drop: { code: 'policy-denied', cause: 'web is closed' },
      cause: 'web is closed',
      rule: null,
    });
    expect([verdicts.decide(TCP, 79).drop, verdicts.decide(TCP, 81).drop, verdicts.decide(UDP, 80).drop]).toEqual([
      null,
      null,
      null,
    ]);
  });

  it('takes the first rule that covers the port', () => {
    const verdicts = new PortVerdicts([
      rule(1, 'allow', [tcp(8000, 8080)], 'range'),
      rule(1, 'allow', [tcp(8080, 9000)], 'upper'),
      rule(1, 'deny', null, 'rest'),
    ]);
    expect([7999, 8000, 8080, 8081, 9000, 9001].map((port) => verdicts.decide(TCP, port).cause)).toEqual([
      'rest',
      'range',
      'range',
      'upper',
      'upper',
      'rest',
    ]);
    expect(verdicts.decide(ICMP, 0).cause).toBe('rest');
  });

  it('leaves the rest of a tier out after a pass', () => {
    const verdicts = new PortVerdicts([
      rule(0, 'pass', [tcp(80)], 'to the namespace'),
      rule(0, 'deny', null, 'admin'),
      rule(1, 'allow', [tcp(80)], 'namespace'),
      rule(1, 'deny', null, 'isolated'),
    ]);
    expect([verdicts.decide(TCP, 80).cause, verdicts.decide(TCP, 81).cause]).toEqual(['namespace', 'admin']);
  });
});

describe('StepFunction', () => {
  it('has at every point the value from the last boundary at or before it', () => {
    const points = fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 30 });
    fc.assert(
      fc.property(points, fc.integer({ min: 0, max: 400 }), (boundaries, point) => {
        const steps = new StepFunction(0, boundaries, (start) => start);
        const wanted = Math.max(0, ...boundaries.filter((boundary) => boundary <= point));
        expect(steps.at(point)).toBe(wanted);
      }),
    );
  });

  it('joins equal neighbours', () => {
    expect(new StepFunction(0, [10, 20, 30], (start) => start >= 20).starts.length).toBe(2);
  });
});
