/**
 * The parts of a program, by Service, and which of them differ from what the node has. Several Services may have the same
 * part (the hairpin entry of one pod): it stays until the last of them lets it go.
 */

export interface Item {
  /** Names the part among all. */
  readonly id: string;
}

export interface ItemChanges<T> {
  readonly set: readonly T[];
  readonly gone: readonly T[];
}

export class ItemStore<T extends Item> {
  private readonly byService = new Map<string, readonly T[]>();
  private readonly present = new Map<string, { item: T; users: number }>();
  /** Touched since the node was last brought up to date, with what it has; undefined where it has none. */
  private readonly touched = new Map<string, T | undefined>();

  /** All parts of a Service, in place of those it had. */
  replace(service: string, items: readonly T[]): void {
    const before = this.byService.get(service) ?? [];
    for (const item of before) this.release(item);
    for (const item of items) this.hold(item);
    if (items.length === 0) this.byService.delete(service);
    else this.byService.set(service, items);
  }

  all(): T[] {
    return [...this.present.values()].map(({ item }) => item);
  }

  get size(): number {
    return this.present.size;
  }

  /** What differs from what the node has, equal parts left out. */
  changes(): ItemChanges<T> {
    const set: T[] = [];
    const gone: T[] = [];
    for (const [id, before] of this.touched) {
      const now = this.present.get(id)?.item;
      if (now === undefined) {
        if (before !== undefined) gone.push(before);
      } else if (before === undefined || JSON.stringify(before) !== JSON.stringify(now)) set.push(now);
    }
    return { set, gone };
  }

  /** The node has the present state. */
  settle(): void {
    this.touched.clear();
  }

  private hold(item: T): void {
    const known = this.present.get(item.id);
    this.touch(item.id, known?.item);
    this.present.set(item.id, { item, users: (known?.users ?? 0) + 1 });
  }

  private release(item: T): void {
    const known = this.present.get(item.id);
    if (known === undefined) return;
    this.touch(item.id, known.item);
    if (known.users === 1) this.present.delete(item.id);
    else known.users--;
  }

  private touch(id: string, item: T | undefined): void {
    if (!this.touched.has(id)) this.touched.set(id, item);
  }
}
