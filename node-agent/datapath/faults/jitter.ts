/**
 * How long a packet is held: the mean, and a deviation by a distribution. The shapes are those of iproute2's netem tables:
 * mean 0 and standard deviation 1 times the jitter, cut at four deviations as a 16-bit table cuts them.
 */
import type { Distribution, Impairment } from '../../../shared/rules/impairment.ts';

const CUT = 4;
const PARETO_SHAPE = 3;
/** Of a Pareto distribution with shape 3 and scale 1. */
const PARETO_MEAN = 1.5;
const PARETO_DEVIATION = Math.sqrt(3) / 2;

export class Jitter {
  private readonly random: () => number;
  private last: number | null = null;

  constructor(random: () => number) {
    this.random = random;
  }

  /** Microseconds, never below 0. */
  delayUs({ delayUs, jitterUs, distribution, delayCorrelation }: Impairment): number {
    if (jitterUs === 0) return delayUs;
    if (this.last === null || delayCorrelation === 0 || this.random() >= delayCorrelation) {
      this.last = deviation(distribution, this.random);
    }
    return Math.max(0, delayUs + jitterUs * this.last);
  }
}

function deviation(distribution: Distribution, random: () => number): number {
  switch (distribution) {
    case 'uniform':
      return 2 * random() - 1;
    case 'normal':
      return normal(random);
    case 'pareto':
      return pareto(random);
    case 'paretonormal':
      return 0.25 * normal(random) + 0.75 * pareto(random);
  }
}

/** Box and Muller's transform. */
function normal(random: () => number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return cut(radius * Math.cos(2 * Math.PI * random()));
}

function pareto(random: () => number): number {
  return cut(((1 - random()) ** (-1 / PARETO_SHAPE) - PARETO_MEAN) / PARETO_DEVIATION);
}

function cut(value: number): number {
  return Math.max(-CUT, Math.min(CUT, value));
}
