/** Which counters of a session were seen (RFC 6479): a ring of bits, of which only words are cleared as it moves on. */

const WORD_BITS = 32;
const WORDS = 64;
/** How far behind the highest a counter may be: the word that is being filled is no part of it. */
export const REPLAY_WINDOW = (WORDS - 1) * WORD_BITS;

export class ReplayWindow {
  private readonly words = new Uint32Array(WORDS);
  private highest = -1;

  /** Whether the counter is neither known nor too old. */
  isNew(counter: number): boolean {
    if (counter > this.highest) return true;
    if (this.highest - counter >= REPLAY_WINDOW) return false;
    return (this.words[placeOf(counter)]! & bitOf(counter)) === 0;
  }

  /** Notes the counter of a message that is authentic, and new. */
  note(counter: number): void {
    if (counter > this.highest) {
      const before = Math.floor(this.highest / WORD_BITS);
      const steps = Math.min(Math.floor(counter / WORD_BITS) - before, WORDS);
      for (let step = 1; step <= steps; step++) this.words[(before + step) % WORDS] = 0;
      this.highest = counter;
    }
    this.words[placeOf(counter)]! |= bitOf(counter);
  }
}

function placeOf(counter: number): number {
  return Math.floor(counter / WORD_BITS) % WORDS;
}

function bitOf(counter: number): number {
  return 1 << (counter % WORD_BITS);
}
