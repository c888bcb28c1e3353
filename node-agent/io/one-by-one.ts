/** Between two looks so many are taken alone. */
const TAKEN_ALONE = 7;

/**
 * Whether datagrams come one by one. Then most are taken so, without a look for another one that costs as much, and one in eight
 * with it. No clock tells a burst from answers: a peer that shares the processor may have answered before this process, which it
 * displaced, has left its turn.
 */
export class OneByOne {
  private untilLook: number;

  /** `assumed` until the first look. */
  constructor(assumed: boolean) {
    this.untilLook = assumed ? TAKEN_ALONE : 0;
  }

  /** Whether the next one is taken alone; if not, what the look found is to be told. */
  takesAlone(): boolean {
    if (this.untilLook === 0) return false;
    this.untilLook--;
    return true;
  }

  /** Whether that was all that had come. */
  looked(foundOne: boolean): void {
    this.untilLook = foundOne ? TAKEN_ALONE : 0;
  }
}
