/**
 * The way of writes, and of reads that must be fresh: one request to the apiservers, with the rules of their HTTPS side
 * (validation, admission, optimistic concurrency). Errors of the API arrive as ApiError.
 */

import { isJsonObject } from '../api/object.ts';
import type { ResourceRef } from '../api/resource.ts';
import { ApiError, apiErrorFromStatus } from '../api/status.ts';
import { BusTimeoutError, BusUnavailableError } from './bus-error.ts';
import type { Bus } from './connection.ts';
import { UnexpectedMessageError } from './message-fields.ts';
import { type RequestLane, RequestLanes } from './request-lanes.ts';
import { API_REQUEST, type ApiRequest, type ApiResponse } from './subjects.ts';

export interface ListOptions {
  readonly namespace?: string;
  /** Text form: `app=web,tier!=db`. */
  readonly labelSelector?: string;
  /** `spec.nodeName=worker-1` */
  readonly fieldSelector?: string;
}

export interface ListResult<T> {
  readonly items: T[];
  readonly resourceVersion: string;
}

export type PatchType = 'merge' | 'strategic' | 'json' | 'apply';

export interface Patch {
  readonly type: PatchType;
  /** A function is asked when the request is sent: what waited in line is not old then. */
  readonly body: unknown;
  readonly subresource?: string;
  readonly fieldManager?: string;
  /** Of an apply: takes over fields that others manage. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  /** Only if the object has this uid. */
  readonly uid?: string;
  /** Only if the object is at this revision. */
  readonly resourceVersion?: string;
}

export interface WriteOptions {
  /** Answers what would be stored, or why nothing would, unknown fields included; nothing is. */
  readonly tryOut?: boolean;
}

/**
 * While no apiserver answers, a request is repeated until the time limit; then BusUnavailableError. A write whose answer
 * was lost is not repeated, as it may have been carried out: BusTimeoutError or BusUnavailableError (`maybeDelivered`).
 */
export interface ApiClient {
  get<T>(resource: ResourceRef, name: string, namespace?: string): Promise<T>;
  list<T>(resource: ResourceRef, options?: ListOptions): Promise<ListResult<T>>;
  create<T>(resource: ResourceRef, object: T, options?: WriteOptions & { readonly namespace?: string }): Promise<T>;
  /** Replaces the object named in `metadata`; a conflict when its resourceVersion is not the present one. */
  update<T>(resource: ResourceRef, object: T, options?: WriteOptions): Promise<T>;
  updateStatus<T>(resource: ResourceRef, object: T): Promise<T>;
  /** Replaces through a subresource: `namespaces/finalize`. */
  updateSubresource<T>(resource: ResourceRef, object: T, subresource: string): Promise<T>;
  patch<T>(resource: ResourceRef, name: string, namespace: string | undefined, patch: Patch): Promise<T>;
  delete(resource: ResourceRef, name: string, namespace?: string, options?: DeleteOptions): Promise<void>;
  /** Creates at a subresource: `pods/binding`, `pods/eviction`, `serviceaccounts/token`. */
  subresource<T>(
    resource: ResourceRef,
    name: string,
    namespace: string | undefined,
    subresource: string,
    body: unknown,
  ): Promise<T>;
}

export interface ApiClientOptions {
  /** On whose behalf: `system:kube-scheduler`. */
  readonly user: string;
  /** For how long requests are repeated while no apiserver answers; 10 s by default. */
  readonly retryForMs?: number;
  /** The limit of a single attempt; 5 s by default. */
  readonly attemptTimeoutMs?: number;
  /** Where its requests line up; without one they go at once. */
  readonly lane?: RequestLane;
}

export function createApiClient(bus: Bus, options: ApiClientOptions): ApiClient {
  return new BusApiClient(bus, options);
}

export interface ComponentClients {
  readonly api: ApiClient;
  /** For events: behind the work. */
  readonly events: ApiClient;
  /** For what must not wait behind anything: Leases. */
  readonly urgent: ApiClient;
}

/** The clients of one component, which line up with each other. */
export function createComponentClients(bus: Bus, user: string): ComponentClients {
  const lanes = new RequestLanes({ inFlight: COMPONENT_IN_FLIGHT, nowMs: () => performance.now() });
  return {
    api: createApiClient(bus, { user, lane: lanes.work }),
    events: createApiClient(bus, { user, lane: lanes.background }),
    urgent: createApiClient(bus, { user, attemptTimeoutMs: URGENT_ATTEMPT_TIMEOUT_MS }),
  };
}

const PATCH_CONTENT_TYPES: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
};
/**
 * An apiserver that is killed amid a request never answers; its successor is asked in time only when that is noticed well
 * before a Lease runs out.
 */
const URGENT_ATTEMPT_TIMEOUT_MS = 1000;
/** Requests under way of a component that has much to do. */
const COMPONENT_IN_FLIGHT = 16;
/** Objects a page; keeps a list's answers below the bus' message limit. */
const PAGE_SIZE = 500;
const FIRST_RETRY_MS = 15;
const LAST_RETRY_MS = 500;
/** Each pause is so much longer than the one before: an apiserver that comes is found within a fraction of its start. */
const RETRY_GROWTH = 1.2;

class BusApiClient implements ApiClient {
  private readonly bus: Bus;
  private readonly user: string;
  private readonly retryForMs: number;
  private readonly attemptTimeoutMs: number;
  private readonly lane: RequestLane;

  constructor(bus: Bus, options: ApiClientOptions) {
    this.bus = bus;
    this.user = options.user;
    this.retryForMs = options.retryForMs ?? 10_000;
    this.attemptTimeoutMs = options.attemptTimeoutMs ?? 5000;
    this.lane = options.lane ?? ((request) => request());
  }

  get<T>(resource: ResourceRef, name: string, namespace?: string): Promise<T> {
    return this.call(resource, { verb: 'get', name, namespace });
  }

  async list<T>(resource: ResourceRef, options: ListOptions = {}): Promise<ListResult<T>> {
    const items: T[] = [];
    let resourceVersion = '';
    let continueToken: string | undefined;
    do {
      const query = definedOnly({
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
        limit: String(PAGE_SIZE),
        continue: continueToken,
      });
      const page = decodePage<T>(await this.call(resource, { verb: 'list', namespace: options.namespace, query }));
      items.push(...page.items);
      resourceVersion = page.resourceVersion;
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
    return { items, resourceVersion };
  }

  create<T>(
    resource: ResourceRef,
    object: T,
    options: WriteOptions & { readonly namespace?: string } = {},
  ): Promise<T> {
    const namespace = options.namespace ?? metadataOf(object).namespace;
    return this.call(resource, { verb: 'create', namespace, query: writeQuery(options), body: object });
  }

  update<T>(resource: ResourceRef, object: T, options: WriteOptions = {}): Promise<T> {
    return this.call(resource, { verb: 'update', ...metadataOf(object), query: writeQuery(options), body: object });
  }

  updateStatus<T>(resource: ResourceRef, object: T): Promise<T> {
    return this.updateSubresource(resource, object, 'status');
  }

  updateSubresource<T>(resource: ResourceRef, object: T, subresource: string): Promise<T> {
    return this.call(resource, { verb: 'update', ...metadataOf(object), subresource, body: object });
  }

  patch<T>(resource: ResourceRef, name: string, namespace: string | undefined, patch: Patch): Promise<T> {
    return this.call(resource, {
      verb: 'patch',
      name,
      namespace,
      subresource: patch.subresource,
      contentType: PATCH_CONTENT_TYPES[patch.type],
      query: definedOnly({ fieldManager: patch.fieldManager, force: patch.force === true ? 'true' : undefined }),
      body: patch.body,
    });
  }

  async delete(resource: ResourceRef, name: string, namespace?: string, options: DeleteOptions = {}): Promise<void> {
    const { gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = options;
    const preconditions = uid === undefined && resourceVersion === undefined ? undefined : { uid, resourceVersion };
    await this.call(resource, {
      verb: 'delete',
      name,
      namespace,
      body: { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions },
    });
  }

  subresource<T>(
    resource: ResourceRef,
    name: string,
    namespace: string | undefined,
    subresource: string,
    body: unknown,
  ): Promise<T> {
    return this.call(resource, { verb: 'create', name, namespace, subresource, body });
  }

  private async call<T>(resource: ResourceRef, request: Partial<ApiRequest> & Pick<ApiRequest, 'verb'>): Promise<T> {
    const { group, version, resource: plural } = resource;
    const response = await this.exchange({ group, version, resource: plural, query: {}, user: this.user, ...request });
    if (response.code >= 200 && response.code < 300) {
      // The apiserver answers a request for a resource with objects of that resource.
      return response.body as T;
    }
    throw (
      apiErrorFromStatus(response.body) ?? new ApiError(response.code, '', `the apiserver answered ${response.code}`)
    );
  }

  private send(request: ApiRequest): Promise<ApiResponse> {
    const { body } = request;
    const present = typeof body === 'function' ? { ...request, body: body() } : request;
    return this.bus.request(API_REQUEST, {}, present, { timeoutMs: this.attemptTimeoutMs });
  }

  private async exchange(request: ApiRequest): Promise<ApiResponse> {
    const readOnly = request.verb === 'get' || request.verb === 'list';
    const deadlineMs = performance.now() + this.retryForMs;
    for (let pauseMs = FIRST_RETRY_MS; ; pauseMs = Math.min(LAST_RETRY_MS, pauseMs * RETRY_GROWTH)) {
      try {
        return await this.lane(() => this.send(request));
      } catch (error) {
        if (!mayRepeat(error, readOnly) || performance.now() + pauseMs > deadlineMs) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.5 + Math.random())));
    }
  }
}

function mayRepeat(error: unknown, readOnly: boolean): boolean {
  if (error instanceof BusUnavailableError) return readOnly || !error.maybeDelivered;
  return readOnly && error instanceof BusTimeoutError;
}

interface NamedObject {
  readonly name: string | undefined;
  readonly namespace: string | undefined;
}

function metadataOf(object: unknown): NamedObject {
  const metadata = isJsonObject(object) && isJsonObject(object.metadata) ? object.metadata : {};
  const { name, namespace } = metadata;
  return {
    name: typeof name === 'string' ? name : undefined,
    namespace: typeof namespace === 'string' ? namespace : undefined,
  };
}

interface Page<T> {
  readonly items: T[];
  readonly resourceVersion: string;
  readonly continueToken: string | undefined;
}

function decodePage<T>(body: unknown): Page<T> {
  if (!isJsonObject(body) || !Array.isArray(body.items) || !isJsonObject(body.metadata)) {
    throw new UnexpectedMessageError('the apiserver answered a list request with something that is not a list');
  }
  const { resourceVersion, continue: token } = body.metadata;
  return {
    items: body.items,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : '',
    continueToken: typeof token === 'string' && token !== '' ? token : undefined,
  };
}

function writeQuery({ tryOut }: WriteOptions): Record<string, string> {
  return tryOut === true ? { dryRun: 'All', fieldValidation: 'Strict' } : {};
}

function definedOnly(query: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const defined: Record<string, string> = {};
  for (const [key, value] of Object.entries(query)) if (value !== undefined) defined[key] = value;
  return defined;
}
