/** Whether something happens to a packet, by a probability, and alike for neighbours by a correlation. */
export class Chance {
  private readonly random: () => number;
  private last: boolean | null = null;

  constructor(random: () => number) {
    this.random = random;
  }

  /** With the probability `correlation` what was decided last; so the share of hits is `probability` all the same. */
  hit(probability: number, correlation: number): boolean {
    if (probability === 0) return false;
    if (this.last === null || correlation === 0 || this.random() >= correlation) {
      this.last = this.random() < probability;
    }
    return this.last;
  }
}
