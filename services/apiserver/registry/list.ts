/** GET of one object or of many, from the watch cache; pages share one snapshot (Kubernetes API concepts, "Retrieving large results sets in chunks"). */

import { fromStorage } from '../../../shared/api/conversion/convert.ts';
import { isJsonObject } from '../../../shared/api/object.ts';
import { badRequest, expired, notFound, timeout } from '../../../shared/api/status.ts';
import type { CachedEntry, ResourceCache } from '../storage/watch-cache.ts';
import type { ApiAnswer, ApiCall } from './api-call.ts';

import type { RegistryContext } from './registry-context.ts';
import { type ListOptions, listOptions, parseRevision } from './request-options.ts';
import { type Selection, selectionOf } from './selection.ts';

/** How long a read waits for a revision that the cache does not have yet. */
const FRESHNESS_TIMEOUT_MS = 3000;

export async function getOne(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const { definition, name = '', namespace } = call;
  await waitForRevision(context, call, call.query.get('resourceVersion') || undefined);
  const object = context.storage.get(definition.storage, name, namespace);
  if (object === undefined) throw notFound(definition, name);
  return { kind: 'object', code: 200, object: fromStorage(object, definition) };
}

export async function list(context: RegistryContext, call: ApiCall): Promise<ApiAnswer> {
  const options = listOptions(call.query);
  const selection = selectionOf(call);
  if (options.continueToken === undefined) await waitForRevision(context, call, options.resourceVersion);
  const cache = context.storage.of(call.definition.storage);
  const page = pageOf(cache, context.storage.cache.revision, selection, options);
  const items = page.entries.map((entry) => fromStorage(entry.object, call.definition));
  const { continueToken, remainingItemCount } = page;
  return {
    kind: 'list',
    code: 200,
    list: {
      items,
      resourceVersion: String(page.revision),
      ...(continueToken === undefined ? {} : { continueToken }),
      ...(remainingItemCount === undefined ? {} : { remainingItemCount }),
    },
  };
}

/** What the call's namespace and selectors find, at the present revision. */
export function selectObjects(context: RegistryContext, call: ApiCall): readonly CachedEntry[] {
  const selection = selectionOf(call);
  return candidates(context.storage.of(call.definition.storage), selection).filter(({ object }) =>
    selection.matches(object),
  );
}

/** Throws Timeout when the revision does not come; a client may be ahead of this server, never of the store. */
export async function waitForRevision(
  context: RegistryContext,
  call: Pick<ApiCall, 'warn'>,
  resourceVersion: string | undefined,
): Promise<void> {
  if (resourceVersion === undefined) {
    // The newest state is asked for, and another apiserver may know newer than this one.
    if (!(await context.storage.catchUp())) call.warn('the store is not reachable: this may be an old state');
    return;
  }
  const revision = parseRevision(resourceVersion);
  const { cache } = context.storage;
  if (await cache.waitFor(revision, FRESHNESS_TIMEOUT_MS)) return;
  throw timeout(`Too large resource version: ${revision}, current: ${cache.revision}`);
}

interface Page {
  readonly entries: readonly CachedEntry[];
  readonly revision: number;
  readonly continueToken?: string;
  readonly remainingItemCount?: number;
}

function pageOf(cache: ResourceCache, present: number, selection: Selection, options: ListOptions): Page {
  const from = options.continueToken === undefined ? undefined : decodeContinue(options.continueToken);
  const { source, revision } = sourceOf(cache, present, selection, options, from);
  const rest = source.filter(
    ({ key, object }) => (from === undefined || key > from.after) && selection.matches(object),
  );
  const { limit } = options;
  if (limit === undefined || rest.length <= limit) return { entries: rest, revision };
  if (revision === present) cache.keepSnapshot();
  const entries = rest.slice(0, limit);
  return {
    entries,
    revision,
    continueToken: encodeContinue({ revision, after: entries.at(-1)!.key }),
    remainingItemCount: rest.length - limit,
  };
}

interface Source {
  readonly source: readonly CachedEntry[];
  readonly revision: number;
}

/**
 * Pages after the first come from the snapshot of the first one. Where that is gone (another apiserver, or many lists
 * later) they come from the present state, under its revision: what the original's inconsistent continuation does.
 */
function sourceOf(
  cache: ResourceCache,
  present: number,
  selection: Selection,
  options: ListOptions,
  from: Continue | undefined,
): Source {
  if (from !== undefined) {
    const snapshot = cache.snapshot(from.revision);
    return snapshot === undefined
      ? { source: cache.list(), revision: present }
      : { source: snapshot, revision: from.revision };
  }
  if (options.resourceVersionMatch === 'Exact') {
    const revision = parseRevision(options.resourceVersion!);
    const snapshot = cache.snapshot(revision);
    if (snapshot === undefined) throw expired('The resourceVersion for the provided list is too old.');
    return { source: snapshot, revision };
  }
  return { source: candidates(cache, selection), revision: present };
}

function candidates(cache: ResourceCache, { key }: Selection): readonly CachedEntry[] {
  if (key === undefined) return cache.list();
  const entry = cache.get(key);
  return entry === undefined ? [] : [entry];
}

interface Continue {
  readonly revision: number;
  /** The last key of the page before. */
  readonly after: string;
}

function encodeContinue({ revision, after }: Continue): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: after })).toString('base64url');
}

function decodeContinue(token: string): Continue {
  const value = parseToken(token);
  if (!isJsonObject(value) || typeof value.rv !== 'number' || typeof value.start !== 'string') {
    throw badRequest('continue key is not valid');
  }
  return { revision: value.rv, after: value.start };
}

function parseToken(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
