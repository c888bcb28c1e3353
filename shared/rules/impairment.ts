/**
 * What is wrong with one direction of a link, in the terms of Linux' tc-netem(8). Times are microseconds, probabilities
 * and correlations 0 to 1. A correlation is the probability that the decision before is taken again: so the share of
 * packets concerned is exactly the probability asked for, which netem's own mixing of neighbouring numbers does not keep.
 */

/** netem's tables. The delay is the mean; the jitter is the standard deviation, of `uniform` the largest distance. */
export const DISTRIBUTIONS = ['uniform', 'normal', 'pareto', 'paretonormal'] as const;
export type Distribution = (typeof DISTRIBUTIONS)[number];

/** Two states, one of which loses much (Gilbert and Elliott), as netem's `loss gemodel p r 1-h 1-k`. */
export interface BurstLoss {
  /** p: from the good state to the bad one, per packet. */
  readonly toBad: number;
  /** r: from the bad state to the good one, per packet. */
  readonly toGood: number;
  /** 1-h: loss in the bad state. */
  readonly lossInBad: number;
  /** 1-k: loss in the good state. */
  readonly lossInGood: number;
}

export interface Impairment {
  readonly delayUs: number;
  readonly jitterUs: number;
  readonly delayCorrelation: number;
  readonly distribution: Distribution;
  /** A packet never leaves before one that came earlier, whatever the jitter. */
  readonly keepOrder: boolean;
  readonly loss: number;
  readonly lossCorrelation: number;
  /** Instead of `loss`. */
  readonly burstLoss: BurstLoss | null;
  readonly duplicate: number;
  readonly duplicateCorrelation: number;
  /** Packets that are sent at once while the others wait for their delay. */
  readonly reorder: number;
  readonly reorderCorrelation: number;
  /** Only every so many-th packet may be reordered. */
  readonly reorderGap: number;
  /** One bit is flipped. */
  readonly corrupt: number;
  readonly corruptCorrelation: number;
  /** 0: no limit. */
  readonly rateBitsPerSecond: number;
  /** That may wait for the rate; what comes then is dropped. */
  readonly limitPackets: number;
  /** 0: only packets are limited. */
  readonly limitBytes: number;
  /** Nothing passes. */
  readonly partition: boolean;
}

/** What is not named stays as it is. */
export type ImpairmentChange = Partial<Impairment>;

export const UNIMPAIRED: Impairment = Object.freeze({
  delayUs: 0,
  jitterUs: 0,
  delayCorrelation: 0,
  distribution: 'uniform',
  keepOrder: false,
  loss: 0,
  lossCorrelation: 0,
  burstLoss: null,
  duplicate: 0,
  duplicateCorrelation: 0,
  reorder: 0,
  reorderCorrelation: 0,
  reorderGap: 1,
  corrupt: 0,
  corruptCorrelation: 0,
  rateBitsPerSecond: 0,
  limitPackets: 1000,
  limitBytes: 0,
  partition: false,
});

/** The two kinds of loss replace each other. */
export function mergeImpairment(before: Impairment, change: ImpairmentChange): Impairment {
  const merged = { ...before, ...change };
  if (change.burstLoss) return { ...merged, loss: 0, lossCorrelation: 0 };
  return change.loss === undefined ? merged : { ...merged, burstLoss: null };
}

/** True when packets pass as if there were no fault. */
export function isUnimpaired(impairment: Impairment): boolean {
  return (
    !impairment.partition &&
    impairment.delayUs === 0 &&
    impairment.jitterUs === 0 &&
    impairment.loss === 0 &&
    impairment.burstLoss === null &&
    impairment.duplicate === 0 &&
    impairment.reorder === 0 &&
    impairment.corrupt === 0 &&
    impairment.rateBitsPerSecond === 0
  );
}

/** True when the packets of one moment meet the same fate: nothing happens to them but that they come later. */
export function treatsAllAlike(impairment: Impairment): boolean {
  return isUnimpaired({ ...impairment, delayUs: 0 });
}

/** What says how something happens, and that something. */
const MODIFIERS: Partial<Record<keyof Impairment, readonly [flag: string, goesWith: string, base: keyof Impairment]>> =
  {
    delayCorrelation: ['--delay-correlation', '--jitter', 'jitterUs'],
    distribution: ['--distribution', '--jitter', 'jitterUs'],
    keepOrder: ['--keep-order', '--jitter', 'jitterUs'],
    lossCorrelation: ['--loss-correlation', '--loss', 'loss'],
    duplicateCorrelation: ['--duplicate-correlation', '--duplicate', 'duplicate'],
    reorderCorrelation: ['--reorder-correlation', '--reorder', 'reorder'],
    reorderGap: ['--reorder-gap', '--reorder', 'reorder'],
    corruptCorrelation: ['--corrupt-correlation', '--corrupt', 'corrupt'],
    limitPackets: ['--limit', '--rate', 'rateBitsPerSecond'],
    limitBytes: ['--limit-bytes', '--rate', 'rateBitsPerSecond'],
  };

/** What of a change would have no effect on the link as it is then, as a sentence for the user; undefined when all has. */
export function changeDefect(change: ImpairmentChange, effective: Impairment): string | undefined {
  if (change.loss && change.burstLoss) return '--loss and --gemodel are two kinds of loss: name one of them';
  for (const [field, modifier] of Object.entries(MODIFIERS)) {
    const value = change[field as keyof Impairment];
    if (value === undefined || value === UNIMPAIRED[field as keyof Impairment]) continue;
    const [flag, goesWith, base] = modifier;
    if (effective[base] !== 0) continue;
    return `${flag} alone changes nothing: it goes with ${goesWith}`;
  }
  return undefined;
}

/** What does not go together, as a sentence for the user; undefined when all is well. */
export function impairmentDefect(impairment: Impairment): string | undefined {
  const { delayUs, jitterUs, reorder, keepOrder } = impairment;
  if (reorder > 0 && delayUs === 0 && jitterUs === 0) {
    return '--reorder needs a --delay: a reordered packet is sent at once while the others wait';
  }
  if (reorder > 0 && keepOrder) return '--reorder and --keep-order contradict each other: leave one out';
  return undefined;
}
