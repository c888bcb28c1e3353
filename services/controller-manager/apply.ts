/** Carries a reconcile's actions out: in order, but neighbours of one kind on one resource side by side. */
import { controllerOf, type ObjectMeta } from '../../shared/api/object.ts';
import { PODS } from '../../shared/api/resources.ts';
import { type ApiError, isApiError } from '../../shared/api/status.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import type { Action } from './action.ts';
import type { Expectations } from './expectations.ts';
import type { PodEvents } from './pod-events.ts';

export interface ApplyContext {
  readonly api: ApiClient;
  readonly events: EventRecorder;
  readonly podEvents: PodEvents;
  readonly expectations: Expectations;
  /** The key whose reconcile asked. */
  readonly key: string;
}

/** Writes under way at a time for one key. */
const PARALLEL = 16;

/** Rejects with the first error after those already under way have ended. */
export async function applyActions(actions: readonly Action[], context: ApplyContext): Promise<void> {
  for (const group of neighbours(actions)) {
    for (let start = 0; start < group.length; start += PARALLEL) {
      await allOrFirstError(group.slice(start, start + PARALLEL).map((action) => applyOne(action, context)));
    }
  }
}

function neighbours(actions: readonly Action[]): Action[][] {
  const groups: Action[][] = [];
  let last = '';
  for (const action of actions) {
    const kind = 'resource' in action ? `${action.kind} ${action.resource.resource}` : action.kind;
    if (kind === last && action.kind !== 'slow-start') groups.at(-1)?.push(action);
    else groups.push([action]);
    last = kind;
  }
  return groups;
}

async function allOrFirstError(writes: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(writes);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

async function applyOne(action: Action, context: ApplyContext): Promise<void> {
  const { api, events, expectations, key } = context;
  switch (action.kind) {
    case 'create':
      return applyCreate(action, context);
    case 'update':
      return expectations.expectWritten(key, action.resource, await api.update(action.resource, action.object));
    case 'update-status':
      return expectations.expectWritten(key, action.resource, await api.updateStatus(action.resource, action.object));
    case 'patch': {
      const { resource, name, namespace, type, body, subresource } = action;
      const written = await api.patch(resource, name, namespace, {
        type,
        body,
        ...(subresource ? { subresource } : {}),
      });
      return expectations.expectWritten(key, resource, written);
    }
    case 'delete':
      return applyDelete(action, context);
    case 'update-subresource':
      await api.updateSubresource(action.resource, action.object, action.subresource);
      return;
    case 'event':
      return events.record(action.about, action.type, action.reason, action.message);
    case 'slow-start':
      return slowStart(action.actions, context);
  }
}

async function applyCreate({ resource, object }: Action & { kind: 'create' }, context: ApplyContext): Promise<void> {
  const { api, expectations, podEvents, key } = context;
  const { metadata = {} } = object as { readonly metadata?: ObjectMeta };
  const reference = resource === PODS ? controllerOf({ metadata }) : undefined;
  const owner = reference && { ...reference, namespace: metadata.namespace };
  try {
    const written = await api.create(resource, object);
    if (owner !== undefined) podEvents.succeeded(owner, 'create', nameOf(written));
    expectations.expectWritten(key, resource, written);
  } catch (error) {
    if (owner !== undefined && isRefusal(error)) podEvents.failed(owner, 'create', metadata.name ?? '', error.message);
    throw error;
  }
}

/** The API server answers with an object. */
function nameOf(written: object): string {
  const { metadata } = written as { readonly metadata?: ObjectMeta };
  return metadata?.name ?? '';
}

/** What a user can do something about; a namespace that goes takes all with it. */
function isRefusal(error: unknown): error is ApiError {
  if (!isApiError(error)) return false;
  const isGoing = error.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false;
  return !isGoing && !isApiError(error, 'AlreadyExists');
}

async function applyDelete(action: Action & { kind: 'delete' }, context: ApplyContext): Promise<void> {
  const { resource, name, namespace, uid, gracePeriodSeconds, propagationPolicy } = action;
  try {
    await context.api.delete(resource, name, namespace, { uid, gracePeriodSeconds, propagationPolicy });
    if (action.owner !== undefined) context.podEvents.succeeded(action.owner, 'delete', name);
  } catch (error) {
    // Gone already, or another object by now: what was to go is gone.
    if (!isApiError(error, 'NotFound') && !isApiError(error, 'Conflict')) throw error;
  }
  context.expectations.expectDeleted(context.key, resource, name, namespace, uid);
}

async function slowStart(actions: readonly Action[], context: ApplyContext): Promise<void> {
  for (let start = 0, size = 1; start < actions.length; start += size / 2) {
    await allOrFirstError(actions.slice(start, start + size).map((action) => applyOne(action, context)));
    size *= 2;
  }
}
