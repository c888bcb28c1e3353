/**
 * Which connections between pods would begin or cease to be allowed, in whole or in part, were some policies other than they are.
 * Pure.
 */

import { groupResourceText } from '../../shared/api/resource.ts';
import { type DirectionPolicy, verdictsFor } from '../../shared/policy/endpoint-policy.ts';
import type { PolicyPod } from '../../shared/policy/policy-pod.ts';
import type { PolicyDecision, PortVerdicts } from '../../shared/policy/port-verdicts.ts';
import { PROTOCOL_SCTP } from '../../shared/policy/port-verdicts.ts';
import { UserError } from '../user-error.ts';
import { type ClusterObjects, type PolicyObject, policyState } from './cluster-objects.ts';
import { Reachability } from './reachability.ts';

export interface Change {
  /** `default/web-0` */
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  /** `80`, `1-79`, `all`; empty for protocols without ports. */
  readonly ports: string;
  /** In part: it depends on what the connection carries. */
  readonly after: 'allowed' | 'allowed in part' | 'denied';
  /** Who decides then. */
  readonly cause: string;
}

export const PROTOCOLS: readonly (readonly [name: string, number: number])[] = [
  ['TCP', 6],
  ['UDP', 17],
  ['SCTP', PROTOCOL_SCTP],
  ['ICMP', 1],
];
const LAST_PORT = 65_535;

/** The same policies with those of a file in place of what they replace. */
export function withPolicies(present: readonly PolicyObject[], wanted: readonly PolicyObject[]): PolicyObject[] {
  return [...without(present, wanted), ...wanted];
}

/** Throws UserError for one that is not there. */
export function withoutPolicies(present: readonly PolicyObject[], gone: readonly PolicyObject[]): PolicyObject[] {
  const known = new Set(present.map(keyOf));
  const unknown = gone.find((policy) => !known.has(keyOf(policy)));
  if (unknown !== undefined) throw new UserError(`there is no ${keyOf(unknown)} to be deleted`);
  return without(present, gone);
}

function without(present: readonly PolicyObject[], others: readonly PolicyObject[]): PolicyObject[] {
  const keys = new Set(others.map(keyOf));
  return present.filter((policy) => !keys.has(keyOf(policy)));
}

export function isSamePolicy(one: PolicyObject, other: PolicyObject): boolean {
  return keyOf(one) === keyOf(other);
}

function keyOf({ resource, object: { metadata } }: PolicyObject): string {
  const place = metadata?.namespace === undefined ? '' : `${metadata.namespace}/`;
  return `${groupResourceText(resource)} ${place}${metadata?.name}`;
}

export function changesBetween(objects: ClusterObjects, policies: readonly PolicyObject[]): Change[] {
  const state = policyState(objects);
  const pods = state.pods.filter(({ addresses }) => addresses.length > 0);
  const before = new Reachability(state);
  const after = new Reachability({ ...state, policies: policyState({ ...objects, policies }).policies });
  const known = new DifferenceCache();
  return pods.flatMap((client) =>
    pods
      .filter((server) => server !== client)
      .flatMap((server) => {
        const sides = [before, after].map((view) => tablesOf(view, client, server)) as [Tables, Tables];
        return known.between(...sides).map((change) => ({ from: nameOf(client), to: nameOf(server), ...change }));
      }),
  );
}

/** What a client may send to a server, and what the server may get of it; null where no policy speaks. */
type Tables = readonly [egress: PortVerdicts | null, ingress: PortVerdicts | null];
type Difference = Omit<Change, 'from' | 'to'>;

function tablesOf(view: Reachability, client: PolicyPod, server: PolicyPod): Tables {
  const table = (policy: DirectionPolicy | null | undefined, peer: PolicyPod): PortVerdicts | null =>
    policy == null ? null : verdictsFor(policy, peer.addresses[0]!); // only pods with addresses are asked about
  return [table(view.endpoint(client)?.egress, server), table(view.endpoint(server)?.ingress, client)];
}

/** Pods that the same policies select share their tables, so most pairs were compared already. */
class DifferenceCache {
  private readonly ids = new Map<PortVerdicts | null, number>();
  private readonly found = new Map<string, readonly Difference[]>();

  between(before: Tables, after: Tables): readonly Difference[] {
    const key = [...before, ...after].map((table) => this.idOf(table)).join(' ');
    let differences = this.found.get(key);
    if (differences === undefined) {
      differences = PROTOCOLS.flatMap(([name, number]) => differencesOf(before, after, name, number));
      this.found.set(key, differences);
    }
    return differences;
  }

  private idOf(table: PortVerdicts | null): number {
    const id = this.ids.get(table) ?? this.ids.size;
    this.ids.set(table, id);
    return id;
  }
}

function differencesOf(before: Tables, after: Tables, name: string, protocol: number): Difference[] {
  const tables = [...before, ...after].filter((table) => table !== null);
  const starts = [...new Set([0, ...tables.flatMap((table) => table.boundaries(protocol))])]
    .filter((port) => port <= LAST_PORT)
    .sort((a, b) => a - b);
  const found: (Difference & { first: number; last: number })[] = [];
  for (const [i, first] of starts.entries()) {
    const will = decisionOf(after, protocol, first);
    const verdict = verdictOf(will);
    if (verdictOf(decisionOf(before, protocol, first)) === verdict) continue;
    const last = (starts[i + 1] ?? LAST_PORT + 1) - 1;
    const previous = found.at(-1);
    if (
      previous !== undefined &&
      previous.last + 1 === first &&
      previous.after === verdict &&
      previous.cause === will.cause
    ) {
      previous.last = last;
    } else found.push({ protocol: name, ports: '', after: verdict, cause: will.cause, first, last });
  }
  const hasPorts = name !== 'ICMP';
  return found.map(({ first, last, ...change }) => ({ ...change, ports: hasPorts ? portsText(first, last) : '' }));
}

function verdictOf({ drop, l7 }: PolicyDecision): Change['after'] {
  if (drop !== null) return 'denied';
  const allowsAll = l7 === undefined || l7.alternatives.some(({ rules }) => rules === null);
  return allowsAll ? 'allowed' : 'allowed in part';
}

/** The one that refuses, in whole or in part, or the last that was asked. */
function decisionOf(tables: Tables, protocol: number, port: number): PolicyDecision {
  const decisions = tables.map((table) => table?.decide(protocol, port) ?? OPEN);
  return (
    decisions.find((decision) => verdictOf(decision) === 'denied') ??
    decisions.find((decision) => verdictOf(decision) === 'allowed in part') ??
    decisions.findLast(({ rule }) => rule !== null) ??
    OPEN
  );
}

const OPEN: PolicyDecision = { drop: null, cause: 'no policy', rule: null };

function portsText(first: number, last: number): string {
  if (first === 0 && last === LAST_PORT) return 'all';
  return first === last ? `${first}` : `${first}-${last}`;
}

function nameOf({ namespace, name }: PolicyPod): string {
  return `${namespace}/${name}`;
}
