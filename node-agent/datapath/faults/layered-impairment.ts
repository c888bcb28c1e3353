/**
 * What stays and what ends by itself: changes without a duration are merged into the base; each of the others lies over it
 * until its time has come, and then what was there before shows again.
 */
import {
  type Impairment,
  type ImpairmentChange,
  mergeImpairment,
  UNIMPAIRED,
} from '../../../shared/rules/impairment.ts';

/** Temporary changes of one link at once. */
export const MAX_LAYERS = 16;

interface Layer {
  readonly change: ImpairmentChange;
  readonly untilUs: number;
}

export class LayeredImpairment {
  private readonly base: Impairment;
  private readonly layers: readonly Layer[];

  constructor(base: Impairment = UNIMPAIRED, layers: readonly Layer[] = []) {
    this.base = base;
    this.layers = layers;
  }

  /** What holds now. */
  get effective(): Impairment {
    return this.layers.reduce((below, { change }) => mergeImpairment(below, change), this.base);
  }

  /** When something ends; Infinity when all stays. */
  get nextEndUs(): number {
    return Math.min(...this.layers.map(({ untilUs }) => untilUs));
  }

  get isFull(): boolean {
    return this.layers.length >= MAX_LAYERS;
  }

  /** `untilUs` Infinity: it stays, also where something temporary said otherwise. */
  with(change: ImpairmentChange, untilUs: number): LayeredImpairment {
    const visible = this.layers.flatMap((layer) =>
      layer.untilUs > untilUs ? [layer] : withoutFields(layer, fieldsOf(change)),
    );
    if (untilUs === Number.POSITIVE_INFINITY) {
      return new LayeredImpairment(mergeImpairment(this.base, change), visible);
    }
    return new LayeredImpairment(this.base, [...visible, { change, untilUs }]);
  }

  /** Without what has ended. */
  at(nowUs: number): LayeredImpairment {
    return new LayeredImpairment(
      this.base,
      this.layers.filter(({ untilUs }) => untilUs > nowUs),
    );
  }
}

/** Both kinds of loss are one thing: whichever is named last holds. */
function fieldsOf(change: ImpairmentChange): Set<string> {
  const fields = new Set(Object.keys(change));
  if (fields.has('loss') || fields.has('burstLoss')) fields.add('loss').add('burstLoss').add('lossCorrelation');
  return fields;
}

function withoutFields({ change, untilUs }: Layer, fields: ReadonlySet<string>): Layer[] {
  const left = Object.entries(change).filter(([field]) => !fields.has(field));
  return left.length === 0 ? [] : [{ change: Object.fromEntries(left), untilUs }];
}
