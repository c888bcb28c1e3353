/** Where blocks are kept: the API in a cluster, a map in tests. Every write names the state that it replaces. */
import type { Block } from './block.ts';
import type { IpPool } from './ip-pool.ts';

/** Somebody else wrote first, or nobody can tell whether the write was carried out: read anew, and decide anew. */
export class IpamConflictError extends Error {
  override readonly name = 'IpamConflictError';
}

export interface IpamStore {
  /** As far as this node was told, its own writes included. By name. */
  readonly blocks: ReadonlyMap<string, Block>;
  readonly pools: readonly IpPool[];
  readonly strictAffinity: boolean;
  readonly nodeLabels: Readonly<Record<string, string>>;
  /** Makes or replaces a block; one that is empty and nobody's is deleted. Throws IpamConflictError, and when nobody can write now. */
  write(block: Block): Promise<void>;
  delete(block: Block): Promise<void>;
  /** Reads a block anew, after a conflict. */
  refresh(name: string): Promise<void>;
}
