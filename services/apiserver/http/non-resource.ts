/** Everything that is not an object: discovery, health, version, OpenAPI, keys, metrics. */
import { noSuchPath } from '../../../shared/api/status.ts';
import type { ServedResources } from '../registry/served-resources.ts';
import { aggregatedDiscovery, coreVersions, groupList, groupOf, resourceList, VERSION_INFO } from './discovery.ts';
import { parseAccept } from './negotiation.ts';
import { type Reply, sendBody, sendText } from './response.ts';

/** What the paths need of the server around them. */
export interface ServerFacts {
  /** `192.0.2.1:6443` */
  readonly advertised: string;
  /** Undefined when ready, else why not. */
  readonly notReady: () => string | undefined;
  readonly metrics: () => Promise<string>;
  readonly keySet: () => unknown;
  readonly issuer: string;
  readonly served: ServedResources;
}

const HEALTH_PATHS = new Set(['healthz', 'livez', 'readyz']);

/** Open to everybody: whoever asks for health has no credentials yet. */
export function isPublicPath(segments: readonly string[]): boolean {
  return HEALTH_PATHS.has(segments[0] ?? '');
}

/** Throws NotFound for a path that nothing answers to. */
export async function answerPath(
  reply: Reply,
  segments: readonly string[],
  query: URLSearchParams,
  facts: ServerFacts,
): Promise<void> {
  const [first = '', ...rest] = segments;
  if (HEALTH_PATHS.has(first)) return answerHealth(reply, rest, query, facts);
  if (first === 'metrics' && rest.length === 0) {
    return sendText(reply, 200, 'text/plain; version=0.0.4; charset=utf-8', await facts.metrics());
  }
  if (first === 'openapi') return answerOpenApi(reply, rest, query, facts.served);
  const body = jsonBody(reply, first, rest, facts);
  if (body === undefined) throw noSuchPath();
  if (body instanceof Aggregated) {
    return sendText(reply, 200, body.mediaType, `${JSON.stringify(body.value)}\n`);
  }
  return sendBody(reply, 200, body);
}

class Aggregated {
  readonly mediaType: string;
  readonly value: unknown;

  constructor(mediaType: string, value: unknown) {
    this.mediaType = mediaType;
    this.value = value;
  }
}

function jsonBody(reply: Reply, first: string, rest: readonly string[], facts: ServerFacts): unknown {
  if (first === '')
    return { paths: ['/api', '/apis', '/healthz', '/livez', '/metrics', '/openapi/v3', '/readyz', '/version'] };
  if (first === 'version' && rest.length === 0) return VERSION_INFO;
  if (first === 'api') {
    if (rest.length === 0) return aggregated(reply, 'api', facts.served) ?? coreVersions(facts.advertised);
    return rest.length === 1 ? resourceList(facts.served, '', rest[0]!) : undefined;
  }
  if (first === 'apis') {
    if (rest.length === 0) return aggregated(reply, 'apis', facts.served) ?? groupList(facts.served);
    if (rest.length === 1) return groupOf(facts.served, rest[0]!);
    return rest.length === 2 ? resourceList(facts.served, rest[0]!, rest[1]!) : undefined;
  }
  const path = [first, ...rest].join('/');
  if (path === 'openid/v1/jwks') return facts.keySet();
  if (path === '.well-known/openid-configuration') return openIdConfiguration(facts.issuer);
  return undefined;
}

/** The aggregated form, if the client asks for it before the plain one. */
function aggregated(reply: Reply, path: 'api' | 'apis', served: ServedResources): Aggregated | undefined {
  for (const { type, parameters } of parseAccept(reply.request.headers.accept)) {
    if (type !== 'application/json' && type !== 'application/*' && type !== '*/*') continue;
    if (parameters.as === undefined) return undefined;
    const { as, g, v = '' } = parameters;
    if (as !== 'APIGroupDiscoveryList' || g !== 'apidiscovery.k8s.io' || !/^v2(beta1)?$/.test(v)) continue;
    return new Aggregated(
      `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`,
      aggregatedDiscovery(served, path, v),
    );
  }
  return undefined;
}

async function answerHealth(
  reply: Reply,
  rest: readonly string[],
  query: URLSearchParams,
  facts: ServerFacts,
): Promise<void> {
  const reason = facts.notReady();
  const failing = reason !== undefined && rest[0] !== 'ping';
  const mark = failing ? '-' : '+';
  const detail = failing ? `failed: ${reason}` : 'ok';
  const verbose = `[+]ping ok\n[${mark}]store ${detail}\n${failing ? 'healthz check failed' : 'healthz check passed'}\n`;
  const text = query.has('verbose') || failing ? verbose : 'ok';
  return sendText(reply, failing ? 500 : 200, 'text/plain; charset=utf-8', text);
}

async function answerOpenApi(
  reply: Reply,
  rest: readonly string[],
  query: URLSearchParams,
  served: ServedResources,
): Promise<void> {
  if (rest[0] === 'v2' && rest.length === 1) return answerOpenApiV2(reply, served);
  if (rest[0] !== 'v3') throw noSuchPath();
  const openapi = await import('./openapi.ts');
  const path = rest.slice(1).join('/');
  if (path === '') return sendBody(reply, 200, openapi.openApiIndex(served));
  const document = openapi.openApiDocument(served, path);
  if (document === undefined) throw noSuchPath();
  if (query.get('hash') === openapi.documentHash(served, path)) {
    reply.response.setHeader('Expires', new Date(Date.now() + 365 * 24 * 3600 * 1000).toUTCString());
  }
  return sendText(reply, 200, 'application/json', JSON.stringify(document));
}

async function answerOpenApiV2(reply: Reply, served: ServedResources): Promise<void> {
  const v2 = await import('./openapi-v2.ts');
  const wanted = parseAccept(reply.request.headers.accept).map(({ type }) => type);
  if (wanted.includes(v2.OPENAPI_V2_PROTOBUF)) {
    // Clients that parse media types do not take the "@" they ask with.
    return sendText(reply, 200, v2.OPENAPI_V2_PROTOBUF.replace('@', '.'), v2.openApiV2Protobuf(served));
  }
  return sendBody(reply, 200, v2.openApiV2Document(served));
}

function openIdConfiguration(issuer: string): unknown {
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  };
}
