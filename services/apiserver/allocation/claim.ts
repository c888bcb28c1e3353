/**
 * A claim is an object whose name is the address or port it stands for: who creates it first has it, whatever number of
 * apiservers try at once. For cluster IPs these are the API's own IPAddress objects (Kubernetes "ServiceCIDR and
 * IPAddress"), for node ports objects that the API does not show.
 */

import { randomUUID } from 'node:crypto';
import { fieldAt, type KubeObject } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { apiVersionOf } from '../../../shared/api/resource.ts';
import { isApiError } from '../../../shared/api/status.ts';
import { formatTimestamp } from '../../../shared/api/timestamp.ts';
import type { ObjectStorage } from '../storage/object-storage.ts';

/** The Service that a claim belongs to. */
export interface Claimant {
  readonly namespace: string;
  readonly name: string;
}

export interface HeldClaim {
  readonly name: string;
  readonly holder: Claimant | undefined;
  readonly object: KubeObject;
}

export class Claims {
  readonly resource: ResourceRef;
  private readonly storage: ObjectStorage;
  private readonly labels: Readonly<Record<string, string>>;

  constructor(storage: ObjectStorage, resource: ResourceRef, labels: Readonly<Record<string, string>> = {}) {
    this.storage = storage;
    this.resource = resource;
    this.labels = labels;
  }

  has(name: string): boolean {
    return this.storage.get(this.resource, name) !== undefined;
  }

  /** Those that are there now, whatever becomes of them meanwhile. */
  *all(): Generator<HeldClaim> {
    for (const { object } of [...this.storage.of(this.resource).values()]) {
      yield { name: object.metadata.name ?? '', holder: holderOf(object), object };
    }
  }

  /** False when somebody else has it. */
  async take(name: string, claimant: Claimant, nowMs: number): Promise<boolean> {
    try {
      await this.storage.create(this.resource, this.claimObject(name, claimant, nowMs));
      return true;
    } catch (error) {
      if (isApiError(error, 'AlreadyExists')) return false;
      throw error;
    }
  }

  /** Gives it back; nothing happens when the claimant does not have it. */
  async release(name: string, claimant: Claimant): Promise<void> {
    try {
      await this.storage.update(this.resource, name, undefined, (object) =>
        sameClaimant(holderOf(object), claimant) ? { kind: 'remove', object } : { kind: 'unchanged' },
      );
    } catch (error) {
      if (!isApiError(error, 'NotFound')) throw error;
    }
  }

  private claimObject(name: string, { namespace, name: service }: Claimant, nowMs: number): KubeObject {
    return {
      apiVersion: apiVersionOf(this.resource),
      kind: this.resource.kind,
      metadata: {
        name,
        uid: randomUUID(),
        creationTimestamp: formatTimestamp(nowMs),
        generation: 1,
        ...(Object.keys(this.labels).length === 0 ? {} : { labels: { ...this.labels } }),
      },
      spec: { parentRef: { group: '', resource: 'services', namespace, name: service } },
    };
  }
}

function sameClaimant(a: Claimant | undefined, b: Claimant): boolean {
  return a?.namespace === b.namespace && a.name === b.name;
}

function holderOf(claim: KubeObject): Claimant | undefined {
  const namespace = fieldAt(claim, 'spec', 'parentRef', 'namespace');
  const name = fieldAt(claim, 'spec', 'parentRef', 'name');
  return typeof namespace === 'string' && typeof name === 'string' ? { namespace, name } : undefined;
}
