/**
 * A node's IPAM: gathers what pods ask for and give back while a write is under way, and makes one write of a block of it.
 *
 *   assign, release -> waiting -> plan on the blocks as known -> write the blocks that changed -> answer
 *                         ^------ conflict: read them anew --------/
 *
 * Addresses survive the death of the node in the API: a pod that is still there finds what its handle holds; what is
 * held for pods that are gone is freed by `retainOnly`.
 */
import type { IpPrefix } from '../../../../shared/wire/ip-address.ts';
import { type AddressRequest, assign, type IpamState } from './assignment.ts';
import { type Block, blockName, free, type Holder, heldAddresses, isEmpty, nodeOf, withoutAffinity } from './block.ts';
import { IpamConflictError, type IpamStore } from './ipam-store.ts';

/** Conflicts follow each other only while somebody else succeeds. */
const MAX_ATTEMPTS = 100;

export interface CalicoIpamOptions {
  readonly node: string;
  readonly store: IpamStore;
  /** Of the node, and of the others. */
  readonly preferred: () => IpPrefix | null;
  readonly avoided: () => readonly IpPrefix[];
}

type IpamRequest =
  | { readonly kind: 'assign'; readonly assign: AddressRequest }
  | { readonly kind: 'release'; readonly handle: string }
  | { readonly kind: 'sweep'; readonly isGone: (holder: Holder) => boolean };

interface Waiting {
  readonly request: IpamRequest;
  attempts: number;
  readonly answer: PromiseWithResolvers<number>;
}

export class CalicoIpam {
  private readonly options: CalicoIpamOptions;
  private waiting: Waiting[] = [];
  private isAtWork = false;

  constructor(options: CalicoIpamOptions) {
    this.options = options;
  }

  /** Throws AddressesExhaustedError, and what the store throws. */
  assign(request: AddressRequest): Promise<number> {
    return this.enqueue({ kind: 'assign', assign: request });
  }

  /** Frees what the handle holds. */
  async release(handle: string): Promise<void> {
    await this.enqueue({ kind: 'release', handle });
  }

  /** Frees what is held on this node under other handles than these. */
  async retainOnly(handles: ReadonlySet<string>): Promise<void> {
    const { node } = this.options;
    await this.enqueue({
      kind: 'sweep',
      isGone: ({ handle_id: handle, secondary }) => secondary.node === node && !handles.has(handle),
    });
  }

  /** A node has left the cluster: all that it holds now is free, and its blocks are nobody's. */
  async forgetNode(gone: string): Promise<void> {
    const { store } = this.options;
    const held = new Set([...store.blocks.values()].flatMap(heldAddresses).map(({ holder }) => leaseOf(holder)));
    await this.enqueue({
      kind: 'sweep',
      isGone: (holder) => holder.secondary.node === gone && held.has(leaseOf(holder)),
    });
    for (const block of [...store.blocks.values()].filter((one) => nodeOf(one) === gone)) {
      try {
        await (isEmpty(block) ? store.delete(block) : store.write(withoutAffinity(block)));
      } catch (error) {
        // Another node does the same; what it wrote is seen.
        if (!(error instanceof IpamConflictError)) throw error;
      }
    }
  }

  private enqueue(request: IpamRequest): Promise<number> {
    const waiting = { request, attempts: 0, answer: Promise.withResolvers<number>() };
    this.waiting.push(waiting);
    void this.work();
    return waiting.answer.promise;
  }

  /** Never rejects: every error is somebody's answer. What conflicted goes first again, so that a handle's requests stay in order. */
  private async work(): Promise<void> {
    if (this.isAtWork) return;
    this.isAtWork = true;
    while (this.waiting.length > 0) {
      const again = await this.carryOut(this.nextBatch());
      this.waiting.unshift(...again);
    }
    this.isAtWork = false;
  }

  /** What may be written in any order: one request of each handle, and a sweep alone. */
  private nextBatch(): Waiting[] {
    const handles = new Set<string>();
    let size = 0;
    for (const { request } of this.waiting) {
      const handle = handleOf(request);
      if (handle === undefined || handles.has(handle)) break;
      handles.add(handle);
      size++;
    }
    return this.waiting.splice(0, Math.max(1, size));
  }

  /** Those that are to be tried again. */
  private async carryOut(batch: readonly Waiting[]): Promise<Waiting[]> {
    const plan = new Plan(this.state());
    const planned = batch.flatMap((waiting) => {
      try {
        return [{ waiting, ...plan.add(waiting.request) }];
      } catch (error) {
        waiting.answer.reject(error);
        return [];
      }
    });
    const failures = await this.write(plan.changed);
    return planned.flatMap(({ waiting, address, names }) => {
      const failed = names.flatMap((name) => failures.get(name) ?? [])[0];
      if (failed instanceof IpamConflictError && ++waiting.attempts < MAX_ATTEMPTS) return [waiting];
      if (failed === undefined) waiting.answer.resolve(address);
      else waiting.answer.reject(failed);
      return [];
    });
  }

  /** What failed, by the block's name. */
  private async write(changed: ReadonlyMap<string, Block>): Promise<ReadonlyMap<string, unknown>> {
    const { store } = this.options;
    const failures = new Map<string, unknown>();
    await Promise.all(
      [...changed].map(async ([name, block]) => {
        try {
          await (this.isToBeGivenBack(block) ? store.delete(block) : store.write(block));
        } catch (error) {
          failures.set(name, error);
          if (error instanceof IpamConflictError) await store.refresh(name).catch((again) => failures.set(name, again));
        }
      }),
    );
    return failures;
  }

  /** An empty block is kept only where it is its node's last one. */
  private isToBeGivenBack(block: Block): boolean {
    if (!isEmpty(block)) return false;
    const node = nodeOf(block);
    if (node === undefined) return true;
    const name = blockName(block.prefix);
    return [...this.options.store.blocks].some(
      ([other, { spec }]) => other !== name && spec.affinity === block.spec.affinity,
    );
  }

  private state(): IpamState {
    const { node, store, preferred, avoided } = this.options;
    const { blocks, pools, strictAffinity, nodeLabels } = store;
    return { node, nodeLabels, pools, blocks, strictAffinity, preferred: preferred(), avoided: avoided() };
  }
}

/** Requests on top of each other. */
class Plan {
  readonly changed = new Map<string, Block>();
  private readonly state: IpamState;
  private readonly blocks: Map<string, Block>;

  constructor(state: IpamState) {
    this.blocks = new Map(state.blocks);
    this.state = { ...state, blocks: this.blocks };
  }

  /** The address that is given, and the blocks on whose writes the answer depends. */
  add(request: IpamRequest): { readonly address: number; readonly names: readonly string[] } {
    switch (request.kind) {
      case 'release':
        return { address: 0, names: this.free(({ handle_id: handle }) => handle === request.handle) };
      case 'sweep':
        return { address: 0, names: this.free(request.isGone) };
      case 'assign': {
        const { address, block } = assign(this.state, request.assign);
        return { address, names: block === undefined ? [] : [this.change(block)] };
      }
    }
  }

  private free(isGone: (holder: Holder) => boolean): string[] {
    return [...this.blocks.values()].flatMap((block) => {
      const freed = free(block, isGone);
      return freed === block ? [] : [this.change(freed)];
    });
  }

  private change(block: Block): string {
    const name = blockName(block.prefix);
    this.blocks.set(name, block);
    this.changed.set(name, block);
    return name;
  }
}

function handleOf(request: IpamRequest): string | undefined {
  if (request.kind === 'sweep') return undefined;
  return request.kind === 'assign' ? request.assign.holder.handle_id : request.handle;
}

/** A handle holds an address since a moment: a node that comes back under the same name holds others. */
function leaseOf({ handle_id: handle, secondary }: Holder): string {
  return `${handle} ${secondary.timestamp}`;
}
