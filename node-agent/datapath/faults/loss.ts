import type { BurstLoss, Impairment } from '../../../shared/rules/impairment.ts';
import { Chance } from './chance.ts';

/** Which packets are lost: independently, in correlation, or in bursts (Gilbert-Elliott). */
export class Loss {
  private readonly random: () => number;
  private readonly chance: Chance;
  /** Of the burst model. */
  private bad = false;

  constructor(random: () => number) {
    this.random = random;
    this.chance = new Chance(random);
  }

  loses({ loss, lossCorrelation, burstLoss }: Impairment): boolean {
    return burstLoss === null ? this.chance.hit(loss, lossCorrelation) : this.losesInBurst(burstLoss);
  }

  /** The state in which a packet arrives decides; then it may change. */
  private losesInBurst({ toBad, toGood, lossInBad, lossInGood }: BurstLoss): boolean {
    const lost = this.random() < (this.bad ? lossInBad : lossInGood);
    if (this.random() < (this.bad ? toGood : toBad)) this.bad = !this.bad;
    return lost;
  }
}
