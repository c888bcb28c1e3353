/** Who is connected to whom, as the peers tell each other: each of its own connections, with a version that grows. Pure. */
import type { PeerDescription } from './gossip.ts';

export class Topology {
  private readonly self: string;
  private readonly known = new Map<string, PeerDescription>();

  constructor(self: string, nickname: string) {
    this.self = self;
    this.known.set(self, { name: self, nickname, version: 1, connections: [] });
  }

  /** This peer first; without those that nobody leads to any more. */
  get peers(): readonly PeerDescription[] {
    const reached = new Set([this.self]);
    for (const name of reached) for (const other of this.known.get(name)?.connections ?? []) reached.add(other);
    return [...reached].flatMap((name) => this.known.get(name) ?? []);
  }

  nicknameOf(name: string): string {
    return this.known.get(name)?.nickname ?? '';
  }

  connectedTo(names: readonly string[]): void {
    const own = this.known.get(this.self)!; // set by the constructor
    this.known.set(this.self, { ...own, version: own.version + 1, connections: [...names].sort() });
  }

  /** True when something is new. A peer's word on itself counts; what others remember of this one from before does not. */
  merge(peers: readonly PeerDescription[]): boolean {
    let isNew = false;
    for (const peer of peers) {
      const mine = this.known.get(peer.name);
      if (peer.name === this.self) {
        const own = this.known.get(this.self)!; // set by the constructor
        // Told before this start of the node: to be heard, this start's word must be later.
        if (peer.version > own.version) this.known.set(this.self, { ...own, version: peer.version + 1 });
        isNew ||= peer.version > own.version;
      } else if (mine === undefined || peer.version > mine.version) {
        this.known.set(peer.name, peer);
        isNew = true;
      }
    }
    return isNew;
  }
}
