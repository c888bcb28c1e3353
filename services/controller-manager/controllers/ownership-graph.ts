/** Who owns whom: objects by uid, and for each those that name it as an owner. Keeps metadata only. */
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import type { Dependent } from './garbage-collector.ts';

export class OwnershipGraph {
  private readonly byUid = new Map<string, Dependent>();
  private readonly dependents = new Map<string, Set<string>>();

  /** False when the object has the owners that it had. */
  put(resource: ResourceRef, { apiVersion, kind, metadata }: KubeObject): boolean {
    const uid = metadata.uid ?? '';
    const before = this.byUid.get(uid)?.object;
    const slim: KubeObject = { apiVersion, kind, metadata: { ...metadata, managedFields: undefined } };
    if (before !== undefined && sameOwners(before, slim)) {
      this.byUid.set(uid, { resource, object: slim });
      return false;
    }
    this.remove(uid);
    this.byUid.set(uid, { resource, object: slim });
    for (const owner of metadata.ownerReferences ?? []) {
      const known = this.dependents.get(owner.uid);
      if (known === undefined) this.dependents.set(owner.uid, new Set([uid]));
      else known.add(uid);
    }
    return true;
  }

  remove(uid: string): void {
    const before = this.byUid.get(uid);
    this.byUid.delete(uid);
    for (const owner of before?.object.metadata.ownerReferences ?? []) {
      const known = this.dependents.get(owner.uid);
      known?.delete(uid);
      if (known?.size === 0) this.dependents.delete(owner.uid);
    }
  }

  clear(): void {
    this.byUid.clear();
    this.dependents.clear();
  }

  get(uid: string): Dependent | undefined {
    return this.byUid.get(uid);
  }

  uids(): string[] {
    return [...this.byUid.keys()];
  }

  dependentsOf(uid: string): Dependent[] {
    return [...(this.dependents.get(uid) ?? [])].flatMap((dependent) => this.byUid.get(dependent) ?? []);
  }
}

function sameOwners(a: KubeObject, b: KubeObject): boolean {
  const owners = a.metadata.ownerReferences ?? [];
  const others = b.metadata.ownerReferences ?? [];
  return owners.length === others.length && owners.every(({ uid }, index) => uid === others[index]?.uid);
}
