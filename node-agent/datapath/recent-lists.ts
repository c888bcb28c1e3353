/** The lists of `-m recent`: when each source address was last seen. They outlive the rules that name them. */

/** Addresses one list holds; the one unseen for longest goes first (xt_recent's ip_list_tot, which is 100 by default). */
export const MAX_RECENT_ADDRESSES = 4096;
export const MAX_RECENT_LISTS = 65_536;

export class RecentLists {
  private readonly lists = new Map<string, Map<number, number>>();

  /** Notes that `address` was seen now. */
  set(name: string, address: number, nowUs: number): void {
    let list = this.lists.get(name);
    if (list === undefined) {
      if (this.lists.size >= MAX_RECENT_LISTS) this.lists.delete(first(this.lists));
      list = new Map();
      this.lists.set(name, list);
    }
    // Deleted first, so that the map's order is that of the last time seen.
    list.delete(address);
    if (list.size >= MAX_RECENT_ADDRESSES) list.delete(first(list));
    list.set(address, nowUs);
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const list of this.lists.values()) for (const address of list.keys()) visit(address);
  }

  /** Whether `address` was seen within `seconds` (at all, when undefined). */
  has(name: string, address: number, seconds: number | undefined, nowUs: number): boolean {
    const seenUs = this.lists.get(name)?.get(address);
    return seenUs !== undefined && (seconds === undefined || nowUs - seenUs <= seconds * 1_000_000);
  }

  /** Forgets what was last seen before `seconds`; the oldest stand first. */
  reap(name: string, seconds: number, nowUs: number): void {
    const list = this.lists.get(name);
    if (list === undefined) return;
    for (const [address, seenUs] of list) {
      if (nowUs - seenUs <= seconds * 1_000_000) return;
      list.delete(address);
    }
  }
}

/** The first key of a map that is not empty. */
function first<Key>(map: ReadonlyMap<Key, unknown>): Key {
  const { value } = map.keys().next();
  return value as Key;
}
