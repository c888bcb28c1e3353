/** Acting as somebody else: the `Impersonate-*` headers (Kubernetes "User impersonation"), `kubectl --as`. */
import type { IncomingHttpHeaders } from 'node:http';
import { badRequest, forbidden } from '../../../shared/api/status.ts';
import type { Authorizer } from '../authorization/authorizer.ts';
import { AUTHENTICATED, serviceAccountUser, type User } from './user.ts';

const EXTRA = 'impersonate-extra-';

/** The user to act as; the one who asks when no other is named. Throws BadRequest and Forbidden. */
export function impersonated(user: User, headers: IncomingHttpHeaders, authorizer: Authorizer): User {
  const wanted = wantedUser(headers);
  if (wanted === undefined) return user;
  for (const [resource, name, namespace] of demands(wanted)) checkMay(user, resource, name, namespace, authorizer);
  return completed(wanted);
}

interface Wanted {
  readonly name: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

function wantedUser(headers: IncomingHttpHeaders): Wanted | undefined {
  const name = headers['impersonate-user'];
  const groups = valuesOf(headers['impersonate-group']);
  const uid = headers['impersonate-uid'];
  const extra = Object.entries(headers).filter(([header]) => header.startsWith(EXTRA));
  if (name === undefined) {
    if (groups.length === 0 && uid === undefined && extra.length === 0) return undefined;
    throw badRequest('requested impersonation of groups, a uid or extra without impersonating a user');
  }
  return {
    name: String(name),
    uid: uid === undefined ? undefined : String(uid),
    groups,
    extra: Object.fromEntries(
      extra.map(([header, value]) => [decodeURIComponent(header.slice(EXTRA.length)), valuesOf(value)]),
    ),
  };
}

/** Node joins the values of a header that occurs more than once. */
function valuesOf(header: string | string[] | undefined): string[] {
  return [header ?? []]
    .flat()
    .flatMap((value) => value.split(/,\s*/))
    .filter((value) => value !== '');
}

/** Each resource that the verb `impersonate` is asked for, with its name and namespace. */
function* demands({ name, groups, uid, extra }: Wanted): Generator<[string, string, string | undefined]> {
  const account = serviceAccountName(name);
  if (account === undefined) yield ['users', name, undefined];
  else yield ['serviceaccounts', account.name, account.namespace];
  for (const group of groups) yield ['groups', group, undefined];
  if (uid !== undefined) yield ['uids', uid, undefined];
  for (const [key, values] of Object.entries(extra))
    for (const value of values) yield [`userextras/${key}`, value, undefined];
}

function checkMay(
  user: User,
  target: string,
  name: string,
  namespace: string | undefined,
  authorizer: Authorizer,
): void {
  const [resource = '', subresource] = target.split('/');
  const group = target.startsWith('uids') || target.startsWith('userextras') ? 'authentication.k8s.io' : '';
  const asked = {
    kind: 'resource',
    verb: 'impersonate',
    group,
    version: 'v1',
    resource,
    subresource,
    namespace,
    name,
  } as const;
  const decision = authorizer.authorize(user, asked);
  if (decision.allowed) return;
  const place = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`;
  throw forbidden(
    { group, resource: target },
    name,
    `User "${user.name}" cannot impersonate resource "${target}" in API group "${group}" ${place}`,
  );
}

function completed({ name, uid, groups, extra }: Wanted): User {
  const account = serviceAccountName(name);
  const given =
    groups.length > 0 || account === undefined
      ? groups
      : serviceAccountUser(account.namespace, account.name, '').groups;
  const isAnonymous = name === 'system:anonymous';
  const all = isAnonymous || given.includes(AUTHENTICATED) ? given : [...given, AUTHENTICATED];
  return {
    name,
    groups: all,
    ...(uid === undefined ? {} : { uid }),
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  };
}

function serviceAccountName(name: string): { readonly namespace: string; readonly name: string } | undefined {
  const match = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  return match === null ? undefined : { namespace: match[1] as string, name: match[2] as string };
}
