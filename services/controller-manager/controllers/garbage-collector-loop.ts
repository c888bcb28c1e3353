/**
 * What the garbage collector watches: everything in the store, by one feed, so that custom resources take part as soon as they
 * are stored.
 */
import { type KubeObject, namespacedName, type OwnerReference } from '../../../shared/api/object.ts';
import { isTerminating } from '../../../shared/api/pod-condition.ts';
import { parseApiVersion, type ResourceRef } from '../../../shared/api/resource.ts';
import { EVENTS } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import type { Bus } from '../../../shared/bus/connection.ts';
import type { StoreEntry } from '../../../shared/bus/store-entry.ts';
import { StoreFeed, type StoreFeedHandler } from '../../../shared/bus/store-feed.ts';
import { storeFilter } from '../../../shared/bus/store-layout.ts';
import type { Controller } from '../controller.ts';
import type { AllResources } from './custom-resources.ts';
import { type GarbageState, type OwnerStanding, reconcileGarbage } from './garbage-collector.ts';
import { OwnershipGraph } from './ownership-graph.ts';

export function garbageCollector(bus: Bus, api: ApiClient, resources: AllResources): Controller<GarbageState> {
  const graph = new OwnershipGraph();
  return {
    name: 'garbage-collector',
    concurrency: 8,
    gatherMs: 20,
    sources: [
      {
        subscribe: (enqueue) =>
          void new StoreFeed(bus, { filter: storeFilter(bus.cluster), handler: watch(graph, enqueue) }),
      },
    ],
    async gather(uid) {
      const node = graph.get(uid);
      if (node === undefined) return undefined;
      const references = node.object.metadata.ownerReferences ?? [];
      const owners = await Promise.all(
        references.map((reference) => standingOf(reference, node.object, { api, graph, resources })),
      );
      return { ...node, owners, dependents: graph.dependentsOf(uid) };
    },
    reconcile: reconcileGarbage,
  };
}

/** Objects are judged once the whole state is known: an owner may come after its dependents. */
function watch(graph: OwnershipGraph, enqueue: (uid: string) => void): StoreFeedHandler {
  let synced = false;
  const judge = (uids: readonly (string | undefined)[]): void => {
    if (synced) for (const uid of uids) if (uid !== undefined) enqueue(uid);
  };
  const related = ({ metadata: { uid = '', ownerReferences = [] } }: KubeObject): string[] => [
    uid,
    ...ownerReferences.map((owner) => owner.uid),
    ...graph.dependentsOf(uid).map(({ object }) => object.metadata.uid ?? ''),
  ];
  return {
    entry({ key, deleted, object }) {
      // Events have no owners and would only fill the graph.
      if (key.resource === EVENTS.resource) return;
      if (deleted) {
        const uids = related(object);
        graph.remove(object.metadata.uid ?? '');
        judge(uids);
        return;
      }
      const changed = graph.put(resourceOf({ key, object }), object);
      if (isTerminating(object)) judge(related(object));
      else if (changed && (object.metadata.ownerReferences ?? []).length > 0) judge([object.metadata.uid]);
    },
    synced() {
      synced = true;
      judge(graph.uids().filter((uid) => isDue(graph.get(uid)?.object)));
    },
    reset() {
      synced = false;
      graph.clear();
    },
  };
}

function isDue(object: KubeObject | undefined): boolean {
  return object !== undefined && (isTerminating(object) || (object.metadata.ownerReferences ?? []).length > 0);
}

function resourceOf({ key, object }: Pick<StoreEntry, 'key' | 'object'>): ResourceRef {
  const version = parseApiVersion(object.apiVersion ?? '')?.version ?? 'v1';
  const { group, resource, namespace } = key;
  return { group, version, resource, kind: object.kind ?? '', namespaced: namespace !== undefined };
}

interface Lookup {
  readonly api: ApiClient;
  readonly graph: OwnershipGraph;
  readonly resources: AllResources;
}

/** An owner that the graph does not know is asked for: its event may only be late. */
async function standingOf(
  reference: OwnerReference,
  dependent: KubeObject,
  { api, graph, resources }: Lookup,
): Promise<OwnerStanding> {
  const known = graph.get(reference.uid)?.object;
  if (known !== undefined) return { reference, standing: standing(known) };
  const resource = resources.ofKind(reference.apiVersion, reference.kind);
  if (resource === undefined) return { reference, standing: 'unknown' };
  const namespace = resource.namespaced ? dependent.metadata.namespace : undefined;
  try {
    const owner = await api.get<KubeObject>(resource, reference.name, namespace);
    return { reference, standing: owner.metadata.uid === reference.uid ? standing(owner) : 'gone' };
  } catch (error) {
    if (isApiError(error, 'NotFound')) return { reference, standing: 'gone' };
    throw new Error(`the owner ${reference.kind} ${reference.name} of ${namespacedName(dependent)} is not known`, {
      cause: error,
    });
  }
}

function standing(owner: KubeObject): 'foreground' | 'present' {
  const foreground = (owner.metadata.finalizers ?? []).includes('foregroundDeletion');
  return isTerminating(owner) && foreground ? 'foreground' : 'present';
}
