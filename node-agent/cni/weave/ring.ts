/**
 * Who owns which addresses: tokens on a ring, each the beginning of a range that goes to the next token. A token is changed by
 * its owner alone, who counts its versions; so rings of two peers are merged by taking the later version of each. Of two peers that
 * took one over without knowing of each other, the first by name has it. Pure.
 */

export interface Token {
  /** Of the range: uint32. */
  readonly start: number;
  readonly owner: string;
  readonly version: number;
}

export interface OwnedRange {
  readonly start: number;
  readonly size: number;
}

export class Ring {
  readonly start: number;
  readonly size: number;
  private readonly byStart = new Map<number, Token>();

  constructor(start: number, size: number) {
    this.start = start;
    this.size = size;
  }

  get isEmpty(): boolean {
    return this.byStart.size === 0;
  }

  get tokens(): readonly Token[] {
    return [...this.byStart.values()].sort((a, b) => a.start - b.start);
  }

  /** The first division: by halves, so that every part is a block whose size is a power of two. */
  seed(owners: readonly string[]): void {
    this.divide(this.start, this.size, owners);
  }

  private divide(start: number, size: number, owners: readonly string[]): void {
    const [owner] = owners;
    if (owner === undefined) return;
    if (owners.length === 1 || size < 2) {
      this.byStart.set(start, { start, owner, version: 1 });
      return;
    }
    const middle = owners.length >> 1;
    const half = size / 2;
    this.divide(start, half, owners.slice(0, middle));
    this.divide(start + half, half, owners.slice(middle));
  }

  /** True when something is new. */
  merge(tokens: readonly Token[]): boolean {
    let isNew = false;
    for (const token of tokens) {
      const mine = this.byStart.get(token.start);
      if (mine !== undefined && !supersedes(token, mine)) continue;
      this.byStart.set(token.start, token);
      isNew = true;
    }
    return isNew;
  }

  rangesOf(owner: string): OwnedRange[] {
    const { tokens } = this;
    const end = this.start + this.size;
    return tokens.flatMap((token, i) => {
      if (token.owner !== owner) return [];
      return [{ start: token.start, size: (tokens[i + 1]?.start ?? end) - token.start }];
    });
  }

  /** Addresses that the owner has. */
  sizeOf(owner: string): number {
    return this.rangesOf(owner).reduce((sum, { size }) => sum + size, 0);
  }

  get owners(): ReadonlySet<string> {
    return new Set(this.tokens.map(({ owner }) => owner));
  }

  /** The addresses from `start` to the end of the owner's range there are another's now. */
  give(start: number, from: string, to: string): void {
    const range = this.rangesOf(from).find((own) => start >= own.start && start < own.start + own.size);
    if (range === undefined) throw new Error(`${from} does not own address ${start}`);
    const version = (this.byStart.get(start)?.version ?? 0) + 1;
    this.byStart.set(start, { start, owner: to, version });
    const before = this.byStart.get(range.start)!; // the range's own token
    if (range.start !== start) this.byStart.set(range.start, { ...before, version: before.version + 1 });
  }

  /** All that a peer has, who will not come back (`weave rmpeer`). */
  transfer(from: string, to: string): boolean {
    const theirs = this.tokens.filter(({ owner }) => owner === from);
    for (const { start, version } of theirs) this.byStart.set(start, { start, owner: to, version: version + 1 });
    return theirs.length > 0;
  }
}

function supersedes(token: Token, mine: Token): boolean {
  return token.version > mine.version || (token.version === mine.version && token.owner < mine.owner);
}
