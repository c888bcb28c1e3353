/** One rule of a Role: what it allows, and whether it allows all that another one does (Kubernetes "Using RBAC Authorization"). */
import { isJsonObject, type KubeObject } from '../../../shared/api/object.ts';
import type { AccessAttributes, PolicyRule } from './authorizer.ts';

const ALL = '*';

/** The rules of a Role or ClusterRole as it is stored. */
export function rulesOf(role: KubeObject | undefined): PolicyRule[] {
  const rules = role?.rules;
  // What is stored was decoded as a Role.
  return Array.isArray(rules) ? (rules.filter(isJsonObject) as unknown as PolicyRule[]) : [];
}

export function ruleAllows(rule: PolicyRule, attributes: AccessAttributes): boolean {
  if (!holds(rule.verbs, attributes.verb)) return false;
  if (attributes.kind === 'path') return (rule.nonResourceURLs ?? []).some((url) => pathMatches(url, attributes.path));
  const { group, resource, subresource, name } = attributes;
  return (
    holds(rule.apiGroups, group) &&
    (rule.resources ?? []).some((allowed) => resourceMatches(allowed, resource, subresource)) &&
    nameMatches(rule, name)
  );
}

function holds(allowed: readonly string[] | undefined, value: string): boolean {
  return allowed !== undefined && (allowed.includes(value) || allowed.includes(ALL));
}

function isEmpty(list: readonly string[] | undefined): boolean {
  return list === undefined || list.length === 0;
}

/** A rule without names is about every object, a request without a name about none of its. */
function nameMatches({ resourceNames = [] }: PolicyRule, name: string | undefined): boolean {
  return resourceNames.length === 0 || (name !== undefined && resourceNames.includes(name));
}

/** `pods` does not allow `pods/log`; `*` allows everything, `*` with a subresource that one of every resource. */
function resourceMatches(allowed: string, resource: string, subresource: string | undefined): boolean {
  if (allowed === ALL) return true;
  if (subresource === undefined) return allowed === resource;
  return allowed === `${resource}/${subresource}` || allowed === `*/${subresource}`;
}

function pathMatches(allowed: string, path: string): boolean {
  return allowed.endsWith(ALL) ? path.startsWith(allowed.slice(0, -1)) : path === allowed;
}

/** What of the wanted rules the owned ones do not allow, in pieces of one verb, group and resource each. */
export function uncovered(owned: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(pieces).filter((piece) => !owned.some((rule) => covers(rule, piece)));
}

function pieces(rule: PolicyRule): PolicyRule[] {
  const found: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) found.push({ verbs: [verb], nonResourceURLs: [url] });
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const piece = { verbs: [verb], apiGroups: [group], resources: [resource] };
        const { resourceNames = [] } = rule;
        if (resourceNames.length === 0) found.push(piece);
        for (const name of resourceNames) found.push({ ...piece, resourceNames: [name] });
      }
    }
  }
  return found;
}

function covers(rule: PolicyRule, piece: PolicyRule): boolean {
  if (!holds(rule.verbs, piece.verbs[0] as string)) return false;
  const url = piece.nonResourceURLs?.[0];
  if (url !== undefined)
    return (rule.nonResourceURLs ?? []).some((allowed) => allowed === url || pathMatches(allowed, url));
  const [resource = '', subresource] = (piece.resources?.[0] ?? '').split('/');
  const name = piece.resourceNames?.[0];
  return (
    holds(rule.apiGroups, piece.apiGroups?.[0] ?? '') &&
    (rule.resources ?? []).some((allowed) => resourceMatches(allowed, resource, subresource)) &&
    nameMatches(rule, name)
  );
}

/** `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get"]}`, as refusals name it. */
export function ruleText(rule: PolicyRule): string {
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['ResourceNames', rule.resourceNames],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['Verbs', rule.verbs],
  ] as const;
  const texts = parts
    .filter(([, values]) => !isEmpty(values))
    .map(([name, values]) => `${name}:${JSON.stringify(values)}`);
  return `{${texts.join(', ')}}`;
}
