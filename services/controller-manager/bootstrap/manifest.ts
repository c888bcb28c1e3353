import type { ResourceRef } from '../../../shared/api/resource.ts';

/** An object that a new cluster starts with. */
export interface Manifest {
  readonly resource: ResourceRef;
  readonly object: object;
}
