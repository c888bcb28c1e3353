/** Kinds whose status begins with a phase, which controllers go on from. */
import type { Strategy } from '../strategy.ts';

export function beginsIn(phase: string): Strategy {
  return {
    create(object) {
      object.status = { phase };
      return undefined;
    },
  };
}
