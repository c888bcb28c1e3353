/** One informer per resource, shared by all controllers, with what no controller reads left out. */
import type { Live } from '../../shared/api/live.ts';
import type { KubeObject } from '../../shared/api/object.ts';
import { groupResourceText, type ResourceRef } from '../../shared/api/resource.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';

type Cached = Live<KubeObject>;

export class Informers {
  private readonly bus: Bus;
  private readonly informers = new Map<string, Informer<Cached>>();

  constructor(bus: Bus) {
    this.bus = bus;
  }

  /** The type argument is the resource's own type: `of<Live<Pod>>(PODS)`. */
  of<T>(resource: ResourceRef): Informer<T> {
    const key = groupResourceText(resource);
    let informer = this.informers.get(key);
    if (informer === undefined) {
      informer = createInformer<Cached>(this.bus, resource, { transform: withoutManagedFields });
      this.informers.set(key, informer);
    }
    // What is stored under a resource has the resource's type.
    return informer as unknown as Informer<T>;
  }

  /** The informer of a resource, when a controller asked for it. */
  find(resource: ResourceRef): Informer<Cached> | undefined {
    return this.informers.get(groupResourceText(resource));
  }

  /** Resolves when all that were asked for are synced. */
  async start(): Promise<void> {
    await Promise.all([...this.informers.values()].map((informer) => informer.start()));
  }

  stop(): void {
    for (const informer of this.informers.values()) informer.stop();
  }
}

function withoutManagedFields(object: Cached): Cached {
  delete object.metadata.managedFields;
  return object;
}
