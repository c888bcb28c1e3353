/**
 * One decision for all peers, by Paxos whose messages are the peers' gossiped states: who shares the address range at first.
 * Every peer is proposer, acceptor and learner. Pure; `ipam/paxos` of weave explains the same idea.
 *
 *   propose: promise my own next round -> others see it and promise the same
 *   promised by a quorum -> I accept a value in that round -> others see it and accept the same
 *   accepted by a quorum -> decided
 */

/** Later by round, then by name. */
export interface ProposalId {
  readonly round: number;
  readonly proposer: string;
}

export interface AcceptorState {
  readonly promise: ProposalId;
  readonly accepted: { readonly id: ProposalId; readonly value: readonly string[] } | null;
}

export type PaxosState = Readonly<Record<string, AcceptorState>>;

export class Paxos {
  private readonly self: string;
  private readonly known = new Map<string, AcceptorState>();

  constructor(self: string) {
    this.self = self;
  }

  get state(): PaxosState {
    return Object.fromEntries(this.known);
  }

  /** Begins a round of this peer's own. */
  propose(): void {
    const rounds = [...this.known.values()].map(({ promise }) => promise.round);
    const promise = { round: Math.max(0, ...rounds) + 1, proposer: this.self };
    this.known.set(this.self, { promise, accepted: this.own?.accepted ?? null });
  }

  /** Takes in what others promised and accepted, and answers to it. True when anything is new. */
  merge(state: PaxosState): boolean {
    let isNew = false;
    for (const [peer, theirs] of Object.entries(state)) {
      const mine = this.known.get(peer);
      if (peer === this.self || (mine !== undefined && !isLaterState(theirs, mine))) continue;
      this.known.set(peer, theirs);
      isNew = true;
    }
    return this.promiseLatest() || isNew;
  }

  /** `candidates` are what this peer would decide for, were it free to; `quorum` how many peers must agree. True on a change. */
  think(candidates: readonly string[], quorum: number): boolean {
    return this.acceptOwn(candidates, quorum) || this.acceptOthers();
  }

  /** The value, once a quorum has accepted it. */
  decided(quorum: number): readonly string[] | undefined {
    const accepted = [...this.known.values()].flatMap((state) => state.accepted ?? []);
    return accepted.find(({ id }) => accepted.filter((other) => same(other.id, id)).length >= quorum)?.value;
  }

  private get own(): AcceptorState | undefined {
    return this.known.get(this.self);
  }

  private promiseLatest(): boolean {
    const latest = [...this.known.values()].map(({ promise }) => promise).reduce(later, NO_PROMISE);
    const { own } = this;
    if (latest === NO_PROMISE || (own !== undefined && !isLater(latest, own.promise))) return false;
    this.known.set(this.self, { promise: latest, accepted: own?.accepted ?? null });
    return true;
  }

  /** A quorum promised this peer's round: it may choose, but what may have been decided before must be chosen again. */
  private acceptOwn(candidates: readonly string[], quorum: number): boolean {
    const { own } = this;
    if (own === undefined || own.promise.proposer !== this.self) return false;
    if (own.accepted !== null && same(own.accepted.id, own.promise)) return false;
    const promised = [...this.known.values()].filter(({ promise }) => same(promise, own.promise));
    if (promised.length < quorum) return false;
    const earlier = promised
      .flatMap(({ accepted }) => accepted ?? [])
      .sort((a, b) => (isLater(a.id, b.id) ? -1 : 1))[0];
    const value = earlier?.value ?? [...candidates].sort();
    this.known.set(this.self, { promise: own.promise, accepted: { id: own.promise, value } });
    return true;
  }

  private acceptOthers(): boolean {
    const { own } = this;
    if (own === undefined) return false;
    const accepted = [...this.known.values()]
      .flatMap((state) => state.accepted ?? [])
      .find(({ id }) => same(id, own.promise));
    if (accepted === undefined || (own.accepted !== null && same(own.accepted.id, accepted.id))) return false;
    this.known.set(this.self, { promise: own.promise, accepted });
    return true;
  }
}

const NO_PROMISE: ProposalId = { round: 0, proposer: '' };

function later(a: ProposalId, b: ProposalId): ProposalId {
  return isLater(b, a) ? b : a;
}

function isLater(a: ProposalId, b: ProposalId): boolean {
  return a.round !== b.round ? a.round > b.round : a.proposer > b.proposer;
}

function same(a: ProposalId, b: ProposalId): boolean {
  return a.round === b.round && a.proposer === b.proposer;
}

function isLaterState(a: AcceptorState, b: AcceptorState): boolean {
  if (!same(a.promise, b.promise)) return isLater(a.promise, b.promise);
  return a.accepted !== null && (b.accepted === null || isLater(a.accepted.id, b.accepted.id));
}
