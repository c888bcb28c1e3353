/** The API over the bus: the same core as HTTPS, for the cluster's own components. */
import { apiVersionOf } from '../../shared/api/resource.ts';
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { API_REQUEST, type ApiRequest, type ApiResponse } from '../../shared/bus/subjects.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { componentUser } from './authentication/user.ts';
import { listBody } from './http/answer-shape.ts';
import { toApiError } from './http/response.ts';
import type { ApiCore } from './registry/api-core.ts';

const QUEUE = 'apiserver';

export function serveBus(bus: Bus, core: ApiCore, log: Logger): BusSubscription {
  return bus.serve(API_REQUEST, {}, (request) => answer(core, request, log), { queue: QUEUE });
}

async function answer(core: ApiCore, request: ApiRequest, log: Logger): Promise<ApiResponse> {
  const { verb, group, version, resource, namespace, name, subresource } = request;
  const what = `${apiVersionOf({ group, version })}/${resource}`;
  try {
    const info = { verb, group, version, resource, namespace, name, subresource };
    const user = componentUser(request.user);
    const { definition } = core.admit(info, user, 'component');
    const body =
      request.body === undefined
        ? undefined
        : { mediaType: request.contentType ?? 'application/json', value: request.body, duplicateFields: [] };
    const result = await core.handle({
      info,
      query: new URLSearchParams(request.query),
      body,
      user,
      origin: 'component',
      agent: user.name.split(':').at(-1)!,
      warn: (message) => log.debug({ user: user.name, what, name, message }, 'a request draws a warning'),
    });
    if (result.kind === 'object') return { code: result.code, body: result.object };
    if (result.kind === 'status') return { code: result.code, body: result.status };
    return { code: result.code, body: listBody(result.list, definition) };
  } catch (error) {
    const status = toApiError(error);
    if (status.code >= 500) log.warn({ error, verb, what, namespace, name }, 'a request over the bus failed');
    return { code: status.code, body: status.toStatus() };
  }
}
