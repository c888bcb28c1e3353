/**
 * What a URL asks for: verb, group, version, resource, name, subresource
 * (Kubernetes API concepts, "Resource URIs" and "API verbs").
 */

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

export interface ResourceRequestInfo {
  readonly kind: 'resource';
  readonly verb: Verb;
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  /** What follows `.../proxy/`, without its leading slash; undefined when nothing, not even a slash, follows. */
  readonly rest: string | undefined;
}

/** Discovery, health, OpenAPI, metrics. */
export interface PathRequestInfo {
  readonly kind: 'path';
  readonly segments: readonly string[];
}

export type RequestInfo = ResourceRequestInfo | PathRequestInfo;

/** Subresources of a namespace itself; every other third segment names a resource inside it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

/** Undefined when a segment is not valid percent-encoding. */
export function requestInfo(method: string, url: URL): RequestInfo | undefined {
  const segments = decodeSegments(url.pathname);
  if (segments === undefined) return undefined;
  const place = resourcePlace(segments);
  if (place === undefined) return { kind: 'path', segments: segments.filter((segment) => segment !== '') };
  const verb = verbOf(method, place.name !== undefined, place.watch || isTrue(url.searchParams.get('watch')));
  if (verb === undefined) return { kind: 'path', segments };
  const { watch: _, ...location } = place;
  return { kind: 'resource', verb, ...location, rest: proxyRest(url.pathname, location.subresource) };
}

function decodeSegments(pathname: string): string[] | undefined {
  try {
    return pathname.split('/').slice(1).map(decodeURIComponent);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

interface ResourcePlace {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly watch: boolean;
}

function resourcePlace(segments: readonly string[]): ResourcePlace | undefined {
  if (segments[0] === 'api') return placeIn('', segments[1], segments.slice(2));
  if (segments[0] === 'apis') return placeIn(segments[1] ?? '', segments[2], segments.slice(3));
  return undefined;
}

function placeIn(group: string, version: string | undefined, tail: readonly string[]): ResourcePlace | undefined {
  if (version === undefined || version === '') return undefined;
  const watch = tail[0] === 'watch';
  const [first, second, third, ...others] = withoutTrailingSlash(watch ? tail.slice(1) : tail);
  if (first === undefined || first === '') return undefined;
  if (first !== 'namespaces' || third === undefined || NAMESPACE_SUBRESOURCES.has(third)) {
    if (goesTooDeep(third, others)) return undefined;
    return { group, version, resource: first, namespace: undefined, name: second, subresource: third, watch };
  }
  const [name, subresource, ...rest] = others;
  if (goesTooDeep(subresource, rest)) return undefined;
  return { group, version, resource: third, namespace: second, name, subresource, watch };
}

/** Only what is passed on to a proxy's other end has segments of its own. */
function goesTooDeep(subresource: string | undefined, rest: readonly string[]): boolean {
  return rest.length > 0 && subresource !== 'proxy';
}

function withoutTrailingSlash(segments: readonly string[]): readonly string[] {
  return segments.at(-1) === '' ? segments.slice(0, -1) : segments;
}

function verbOf(method: string, named: boolean, watch: boolean): Verb | undefined {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (watch) return 'watch';
      return named ? 'get' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return named ? 'delete' : 'deletecollection';
    case 'OPTIONS':
      // Reaches nothing but the proxy subresource, which passes every method on.
      return 'get';
    default:
      return undefined;
  }
}

/** The path to pass on, still percent-encoded: `/api/v1/namespaces/a/services/b/proxy/x%2Fy` gives `x%2Fy`. */
function proxyRest(pathname: string, subresource: string | undefined): string | undefined {
  if (subresource !== 'proxy') return undefined;
  const position = pathname.indexOf('/proxy/');
  return position < 0 ? undefined : pathname.slice(position + '/proxy/'.length);
}

/** As the original reads booleans in a query: `watch`, `watch=`, `watch=1` and `watch=true` are all true. */
export function isTrue(value: string | null | undefined): boolean {
  return value !== null && value !== undefined && value !== '0' && value.toLowerCase() !== 'false';
}
