import type { KubeObject } from '../../../shared/api/object.ts';
import { RevisionConflictError } from '../../../shared/bus/object-store.ts';
import { encodeKey, type ObjectKey } from '../../../shared/bus/store-layout.ts';
import { ObjectStorage } from './object-storage.ts';

/** A store that two apiservers share: each sees every write, in order. */
export class SharedStore {
  readonly servers: ObjectStorage[] = [];
  private readonly last = new Map<string, number>();
  private revision = 0;

  server(): ObjectStorage {
    const storage = new ObjectStorage(this);
    this.servers.push(storage);
    return storage;
  }

  put(key: ObjectKey, object: KubeObject, expected: number): Promise<number> {
    return this.write(key, object, expected, false);
  }

  remove(key: ObjectKey, object: KubeObject, expected: number): Promise<number> {
    return this.write(key, object, expected, true);
  }

  async lastRevision(): Promise<number> {
    return this.revision;
  }

  private async write(key: ObjectKey, object: KubeObject, expected: number, deleted: boolean): Promise<number> {
    // As over a network: others may come first.
    await Promise.resolve();
    if ((this.last.get(encodeKey(key)) ?? 0) !== expected) throw new RevisionConflictError(key, expected);
    this.revision++;
    this.last.set(encodeKey(key), this.revision);
    const { revision } = this;
    for (const server of this.servers) server.cache.apply({ key, object, revision, deleted });
    return revision;
  }
}
