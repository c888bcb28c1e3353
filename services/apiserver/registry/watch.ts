/**
 * Watches: what happened after a revision, then everything as it happens (Kubernetes API concepts, "Efficient detection of
 * changes", "Watch bookmarks", "Streaming lists").
 */
import { servedResources } from '../../../shared/api/custom-resource/definition.ts';
import type { KubeObject } from '../../../shared/api/object.ts';
import type { ResourceDefinition } from '../../../shared/api/registry.ts';
import { CUSTOMRESOURCEDEFINITIONS } from '../../../shared/api/resources.ts';
import { expired } from '../../../shared/api/status.ts';
import type { Change, ResourceCache } from '../storage/watch-cache.ts';
import type { ApiCall } from './api-call.ts';
import { waitForRevision } from './list.ts';
import type { RegistryContext } from './registry-context.ts';
import { parseRevision, type WatchOptions, watchOptions } from './request-options.ts';
import { type Selection, selectionOf } from './selection.ts';

export type WatchEvent =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  /** `initialEventsEnd`: all that was there at the beginning has been told. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string; readonly initialEventsEnd: boolean };

export interface WatchReceiver {
  /** Objects are in their stored version. */
  event(event: WatchEvent): void;
  /** The watch cannot go on: the client must list anew. */
  expired(): void;
  /** What was watched is not served any more. */
  ended(): void;
}

export interface Watch {
  readonly options: WatchOptions;
  /** Begins to tell events, those of the past first. */
  start(receiver: WatchReceiver): void;
  stop(): void;
  /** Tells the present revision, if the client asked for bookmarks. */
  bookmark(): void;
}

/** Throws what is wrong with the request, Expired (410) included, before anything is told. */
export async function openWatch(context: RegistryContext, call: ApiCall): Promise<Watch> {
  const options = watchOptions(call.query);
  const selection = selectionOf(call);
  const cache = context.storage.of(call.definition.storage);
  await waitForRevision(context, call, options.resourceVersion);
  if (beginningOf(cache, options, selection) === 'gone') throw tooOld(options.resourceVersion);
  return new CacheWatch(context, call.definition, cache, selection, options);
}

/** Present objects are told first; `changes` are the past that follows a known revision. */
interface Beginning {
  readonly objects: readonly KubeObject[];
  readonly changes: readonly Change[];
}

function beginningOf(cache: ResourceCache, options: WatchOptions, selection: Selection): Beginning | 'gone' {
  const { resourceVersion } = options;
  const fromState = options.sendInitialEvents || resourceVersion === undefined || resourceVersion === '0';
  if (fromState) {
    const objects = cache.list().map((entry) => entry.object);
    return { objects: objects.filter((object) => selection.matches(object)), changes: [] };
  }
  const changes = cache.changesSince(parseRevision(resourceVersion));
  return changes === 'gone' ? 'gone' : { objects: [], changes };
}

function tooOld(resourceVersion: string | undefined): Error {
  return expired(`too old resource version: ${resourceVersion}`);
}

class CacheWatch implements Watch {
  readonly options: WatchOptions;
  private readonly context: RegistryContext;
  private readonly definition: ResourceDefinition;
  private readonly cache: ResourceCache;
  private readonly selection: Selection;
  private receiver: WatchReceiver | undefined;
  private unsubscribe: () => void = () => undefined;

  constructor(
    context: RegistryContext,
    definition: ResourceDefinition,
    cache: ResourceCache,
    selection: Selection,
    options: WatchOptions,
  ) {
    this.context = context;
    this.definition = definition;
    this.cache = cache;
    this.selection = selection;
    this.options = options;
  }

  start(receiver: WatchReceiver): void {
    const begin = beginningOf(this.cache, this.options, this.selection);
    if (begin === 'gone') {
      receiver.expired();
      return;
    }
    this.receiver = receiver;
    for (const object of begin.objects) receiver.event({ type: 'ADDED', object });
    for (const change of begin.changes) this.tell(change);
    if (this.options.sendInitialEvents) this.tellBookmark(this.context.storage.cache.revision, true);
    const stopEvents = this.cache.subscribe({
      change: (change) => this.tell(change),
      reset: () => receiver.expired(),
    });
    const stopDefinition = this.followDefinition(receiver);
    this.unsubscribe = () => {
      stopEvents();
      stopDefinition?.();
    };
  }

  /** A watch of custom resources ends with their definition, or with their version. */
  private followDefinition(receiver: WatchReceiver): (() => void) | undefined {
    const { custom, version } = this.definition;
    if (custom === undefined) return undefined;
    return this.context.storage.of(CUSTOMRESOURCEDEFINITIONS).subscribe({
      change: ({ deleted, object }) => {
        if (object.metadata.name !== custom.definitionName) return;
        if (deleted || !servedResources(object).some((served) => served.version === version)) receiver.ended();
      },
      reset: () => undefined,
    });
  }

  stop(): void {
    this.unsubscribe();
    this.receiver = undefined;
  }

  bookmark(): void {
    if (this.options.allowBookmarks) this.tellBookmark(this.context.storage.cache.revision, false);
  }

  private tellBookmark(revision: number, initialEventsEnd: boolean): void {
    this.receiver?.event({ type: 'BOOKMARK', resourceVersion: String(revision), initialEventsEnd });
  }

  /** A selector that an object begins or ceases to match makes a change look like a birth or a death. */
  private tell(change: Change): void {
    const { object, previous } = change;
    const matches = !change.deleted && this.selection.matches(object);
    if (change.previousUnknown) {
      if (matches) this.receiver?.event({ type: 'ADDED', object });
      else if (this.couldHaveMatched(object)) this.receiver?.event({ type: 'DELETED', object });
      return;
    }
    const matched = previous !== undefined && this.selection.matches(previous);
    if (matches) this.receiver?.event({ type: matched ? 'MODIFIED' : 'ADDED', object });
    else if (matched)
      this.receiver?.event({ type: 'DELETED', object: change.deleted ? object : lastMatch(previous, object) });
  }

  /** Its state before is not known; where it lies cannot have changed. */
  private couldHaveMatched({ metadata }: KubeObject): boolean {
    const { namespace, name } = this.selection;
    return (
      (namespace === undefined || metadata.namespace === namespace) && (name === undefined || metadata.name === name)
    );
  }
}

/** The last state that matched, at the revision at which it ceased to. */
function lastMatch(previous: KubeObject, now: KubeObject): KubeObject {
  return { ...previous, metadata: { ...previous.metadata, resourceVersion: now.metadata.resourceVersion } };
}
