/**
 * Who is connected to whom, as the peers tell each other: each of its own connections, with a version that grows; and the ways
 * that follow. All peers find the same ones in the same topology. Pure.
 */
import type { PeerConnection, PeerDescription } from './gossip.ts';

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
    for (const name of reached) for (const other of this.connectionsOf(name)) reached.add(other.name);
    return [...reached].flatMap((name) => this.known.get(name) ?? []);
  }

  nicknameOf(name: string): string {
    return this.known.get(name)?.nickname ?? '';
  }

  connectedTo(connections: readonly PeerConnection[]): void {
    const own = this.known.get(this.self)!; // set by the constructor
    const sorted = [...connections].sort((a, b) => (a.name < b.name ? -1 : 1));
    this.known.set(this.self, { ...own, version: own.version + 1, connections: sorted });
  }

  /** The next peer on the way to each that can be reached, by names. */
  unicastRoutes(): ReadonlyMap<string, string> {
    const { self } = this;
    const via = new Map<string, string>();
    for (const [peer, parent] of this.treeOf(self)) via.set(peer, parent === self ? peer : via.get(parent)!);
    return via;
  }

  /** To whom this peer passes on what `source` says to all: those behind it on the shortest ways from there. */
  broadcastRoutes(source: string): readonly string[] {
    return [...this.treeOf(source)].flatMap(([peer, parent]) => (parent === this.self ? peer : []));
  }

  /** Shortest ways from a peer, over connections that both ends know of: the peer before each, in the order of their distance. */
  private treeOf(root: string): ReadonlyMap<string, string> {
    const parents = new Map<string, string>();
    this.grow(parents, root, root);
    // The map grows meanwhile, and is walked to its end.
    for (const peer of parents.keys()) this.grow(parents, root, peer);
    return parents;
  }

  private grow(parents: Map<string, string>, root: string, peer: string): void {
    for (const { name } of this.connectionsOf(peer)) {
      const isMutual = this.connectionsOf(name).some((back) => back.name === peer);
      if (name !== root && !parents.has(name) && isMutual) parents.set(name, peer);
    }
  }

  private connectionsOf(name: string): readonly PeerConnection[] {
    return this.known.get(name)?.connections ?? [];
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
