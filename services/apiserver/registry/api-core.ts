/**
 * The API behind its transports: HTTPS and the bus resolve a request to an ApiCall, and this answers it.
 *
 *   resolve -> authorize -> verb or subresource -> answer
 */
import { findSubresource, type ResourceDefinition, type SubresourceDefinition } from '../../../shared/api/registry.ts';
import { forbidden, isApiError, methodNotSupported, noSuchPath } from '../../../shared/api/status.ts';
import type { User } from '../authentication/user.ts';
import { ALLOWED, type Authorizer } from '../authorization/authorizer.ts';
import type { ResourceRequestInfo } from '../http/request-info.ts';
import { storeUnavailable } from '../storage/object-storage.ts';
import type { ApiAnswer, ApiCall, RequestBody } from './api-call.ts';
import { create } from './create.ts';
import { deleteCollection, deleteOne } from './delete.ts';
import { getOne, list } from './list.ts';
import { patch } from './patch.ts';
import type { RegistryContext } from './registry-context.ts';
import { ServedResources } from './served-resources.ts';
import type { HandlerLookup, SubresourceHandler } from './subresources/handlers.ts';
import { update } from './update.ts';
import { openWatch, type Watch } from './watch.ts';

/** What is refused by an old state may be right by the newest one. */
const OF_AN_OLD_STATE = ['NotFound', 'Conflict', 'AlreadyExists'] as const;

/** What a transport knows of a request. */
export interface Request {
  readonly info: Omit<ResourceRequestInfo, 'kind' | 'rest'>;
  readonly query: URLSearchParams;
  readonly body: RequestBody | undefined;
  readonly user: User;
  readonly origin: ApiCall['origin'];
  readonly agent: string;
  readonly warn: (message: string) => void;
}

export interface Resolved {
  readonly definition: ResourceDefinition;
  readonly subresource: SubresourceDefinition | undefined;
}

export class ApiCore {
  readonly context: RegistryContext;
  readonly served: ServedResources;
  private readonly authorizer: Authorizer;

  private readonly subresourceHandler: HandlerLookup;

  constructor(context: RegistryContext, authorizer: Authorizer, subresourceHandler: HandlerLookup) {
    this.subresourceHandler = subresourceHandler;
    this.context = context;
    this.served = new ServedResources(context.storage);
    this.authorizer = authorizer;
  }

  /** Finds the resource and checks that the verb fits it and the user may; throws NotFound, MethodNotAllowed, Forbidden. */
  admit(info: Request['info'], user: User, origin: Request['origin']): Resolved {
    const resolved = this.resolve(info);
    const { definition, subresource } = resolved;
    // The bus let components in by its own credentials, with which they could read the store itself.
    const decision = origin === 'component' ? ALLOWED : this.authorizer.authorize(user, { ...info, kind: 'resource' });
    if (!decision.allowed) throw denied(definition, subresource, info, user, decision.reason);
    checkVerb(resolved, info);
    return resolved;
  }

  async handle(request: Request): Promise<ApiAnswer> {
    const call = this.callFor(request);
    const handler = this.handlerOf(call);
    const { cache } = this.context.storage;
    // Of before the handler: the cache may go on between the handler's error and its being caught here.
    const { revision } = cache;
    try {
      return await handler(this.context, call);
    } catch (error) {
      if (!isApiError(error) || !OF_AN_OLD_STATE.some((reason) => error.reason === reason)) throw error;
      // The client may know of writes that are not in this one's cache yet: it follows the store itself.
      const isNewest = await this.context.storage.catchUp();
      // Who writes must not take an old state for the truth; who reads is told that it may be one.
      if (!isNewest && call.verb !== 'get') throw storeUnavailable(`${error.message} may be said of an old state`);
      if (cache.revision === revision) throw error;
      return handler(this.context, call);
    }
  }

  watch(request: Request): Promise<Watch> {
    return openWatch(this.context, this.callFor(request));
  }

  private handlerOf(call: ApiCall): SubresourceHandler {
    const { definition, subresource } = call;
    // A status is written as its object is.
    if (!definition.virtual && (subresource === undefined || subresource.name === 'status')) return verbHandler(call);
    const handler = this.subresourceHandler(call);
    if (handler === undefined) throw methodNotSupported(definition, call.verb);
    return handler;
  }

  private resolve(info: Request['info']): Resolved {
    const definition = this.served.find(info.group, info.version, info.resource);
    if (definition === undefined) throw noSuchPath();
    if (!definition.namespaced && info.namespace !== undefined) throw noSuchPath();
    if (definition.namespaced && info.namespace === undefined && info.name !== undefined) throw noSuchPath();
    if (info.subresource === undefined) return { definition, subresource: undefined };
    const subresource = findSubresource(definition, info.subresource);
    if (subresource === undefined) throw noSuchPath();
    return { definition, subresource };
  }

  private callFor({ info, query, body, user, origin, agent, warn }: Request): ApiCall {
    const { definition, subresource } = this.admit(info, user, origin);
    if (definition.custom?.deprecationWarning !== undefined) warn(definition.custom.deprecationWarning);
    const { verb, namespace, name } = info;
    return { verb, definition, subresource, namespace, name, query, body, user, origin, agent, warn };
  }
}

function checkVerb({ definition, subresource }: Resolved, info: Request['info']): void {
  const { verbs } = subresource ?? definition;
  const { verb } = info;
  const fits =
    verbs.some((known) => known === verb) &&
    // A new object has no name in its URL, and a namespaced one has a namespace.
    (verb !== 'create' || subresource !== undefined || info.name === undefined) &&
    (verb !== 'create' || !definition.namespaced || info.namespace !== undefined) &&
    ((verb !== 'update' && verb !== 'patch') || info.name !== undefined);
  if (!fits) throw methodNotSupported(definition, verb);
}

function verbHandler(call: ApiCall): SubresourceHandler {
  switch (call.verb) {
    case 'get':
      return getOne;
    case 'list':
      return list;
    case 'create':
      return create;
    case 'update':
      return update;
    case 'patch':
      return patch;
    case 'delete':
      return deleteOne;
    case 'deletecollection':
      return deleteCollection;
    case 'watch':
      throw methodNotSupported(call.definition, 'watch');
  }
}

function denied(
  definition: ResourceDefinition,
  subresource: SubresourceDefinition | undefined,
  info: Request['info'],
  user: User,
  reason: string | undefined,
): Error {
  const resource = subresource === undefined ? definition.resource : `${definition.resource}/${subresource.name}`;
  const place = info.namespace === undefined ? 'at the cluster scope' : `in the namespace "${info.namespace}"`;
  return forbidden(
    definition,
    info.name ?? '',
    `User "${user.name}" cannot ${info.verb} resource "${resource}" in API group "${definition.group}" ${place}${reason === undefined ? '' : `: ${reason}`}`,
  );
}
