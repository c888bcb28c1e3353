/**
 * Topology aware routing (`service.kubernetes.io/topology-mode: Auto`): every zone gets a share of a Service's endpoints that
 * follows its share of the nodes' CPU, its own ones first. Where that would overload an endpoint by more than a fifth, none has
 * hints (Kubernetes documentation, "Topology Aware Routing", safeguards; KEP-2433).
 */
import type { Node, Service } from 'kubernetes-types/core/v1.js';
import type { Endpoint } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../../../shared/api/live.ts';
import { isNodeReady } from '../../../../shared/api/node-condition.ts';
import { parseQuantity, quantityMilli } from '../../../../shared/api/quantity.ts';
import { ZONE_LABEL } from '../../../../shared/api/topology-hints.ts';
import { same } from '../../same.ts';

const MODE = 'service.kubernetes.io/topology-mode';
const DEPRECATED_MODE = 'service.kubernetes.io/topology-aware-hints';
const CONTROL_PLANE_LABELS = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];
/** How much more than its share an endpoint may get. */
const OVERLOAD = 0.2;
/** Shares are not exact. */
const ROUNDING = 1e-9;

export const NODES_SAY_TOO_LITTLE =
  'Insufficient Node information: allocatable CPU or zone not specified on one or more nodes';
const TOO_FEW = 'Insufficient number of endpoints';
const OVERLOADED = 'Unable to allocate minimum required endpoints to each zone without exceeding overload threshold';
const NO_ZONE = 'One or more endpoints do not have a zone specified';

/** By zone, together 1. */
export type ZoneShares = ReadonlyMap<string, number>;

/** What a slice is going to hold, without hints, and what it holds now. */
export interface SliceContent {
  readonly endpoints: readonly Endpoint[];
  readonly stored: readonly Endpoint[];
}

export type HintOutcome = { readonly refusal: string } | { readonly slices: readonly (readonly Endpoint[])[] };

interface Allocation {
  readonly minimum: number;
  readonly maximum: number;
  readonly desired: number;
}

/** The older annotation counts before the newer one. */
export function isTopologyAware({ metadata: { annotations } }: Live<Service>): boolean {
  const mode = annotations?.[DEPRECATED_MODE] ?? annotations?.[MODE];
  return mode === 'Auto' || mode === 'auto';
}

/** undefined: nodes are ready in fewer than two zones, or one of them says nothing of its zone or CPU. */
export function zoneShares(nodes: readonly Live<Node>[]): ZoneShares | undefined {
  const milliCpuByZone = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    const { labels = {} } = node.metadata;
    if (CONTROL_PLANE_LABELS.some((label) => label in labels) || !isNodeReady(node)) continue;
    const zone = labels[ZONE_LABEL] ?? '';
    const cpu = parseQuantity(node.status?.allocatable?.cpu ?? '0');
    const milliCpu = cpu === undefined ? 0 : quantityMilli(cpu);
    if (zone === '' || milliCpu === 0) return undefined;
    milliCpuByZone.set(zone, (milliCpuByZone.get(zone) ?? 0) + milliCpu);
    total += milliCpu;
  }
  if (milliCpuByZone.size < 2) return undefined;
  return new Map([...milliCpuByZone].map(([zone, milliCpu]) => [zone, milliCpu / total]));
}

/** Hints for all slices of one address family; a slice whose endpoints and hints may stay is returned as it is stored. */
export function topologyAwareHints(slices: readonly SliceContent[], shares: ZoneShares | undefined): HintOutcome {
  const readyEndpoints = slices.flatMap(({ endpoints }) => endpoints.filter(isReady));
  const allocations = allocate(shares, readyEndpoints.length);
  if (typeof allocations === 'string') return { refusal: allocations };
  const counts = new Map<string, number>();
  const results = slices.map((slice) => {
    const kept = keptHints(slice, counts, allocations);
    for (const [zone, count] of kept ?? []) counts.set(zone, (counts.get(zone) ?? 0) + count);
    return kept === undefined ? slice.endpoints.map((endpoint) => ({ ...endpoint })) : slice.stored;
  });
  const open = results
    .filter((endpoints, index) => endpoints !== slices[index]?.stored)
    .flat()
    .filter(isReady);
  for (const endpoint of open) {
    const zone = endpoint.zone ?? '';
    if (zone === '') return { refusal: NO_ZONE };
    counts.set(zone, (counts.get(zone) ?? 0) + 1);
    hint(endpoint, zone);
  }
  redistribute(open, allocations, counts);
  return { slices: results };
}

/** As many endpoints for a zone as its share is, at least so many that none of them is overloaded; or why that cannot be. */
function allocate(shares: ZoneShares | undefined, endpointCount: number): ReadonlyMap<string, Allocation> | string {
  if (shares === undefined) return NODES_SAY_TOO_LITTLE;
  const numbers = `(${endpointCount} endpoints, ${shares.size} zones)`;
  if (shares.size > endpointCount) return `${TOO_FEW} ${numbers}`;
  const wanted = [...shares].map(([zone, share]) => {
    const fair = share * endpointCount;
    const minimum = Math.ceil(fair * (1 / (1 + OVERLOAD)));
    return { zone, minimum, desired: Math.max(fair, minimum) };
  });
  const spare = endpointCount - wanted.reduce((sum, { minimum }) => sum + minimum, 0);
  if (spare < 0) return `${OVERLOADED} ${numbers}`;
  return new Map(
    wanted.map(({ zone, minimum, desired }) => [zone, { minimum, desired, maximum: minimum + spare }] as const),
  );
}

/** The hints of a slice whose endpoints do not change, by zone; undefined when they cannot stay. */
function keptHints(
  { endpoints, stored }: SliceContent,
  counts: ReadonlyMap<string, number>,
  allocations: ReadonlyMap<string, Allocation>,
): ReadonlyMap<string, number> | undefined {
  if (!same(stored.map(withoutHints), endpoints)) return undefined;
  const kept = new Map<string, number>();
  for (const { hints } of stored.filter(isReady)) {
    const zones = hints?.forZones ?? [];
    if (zones.length === 0) return undefined;
    for (const { name } of zones) kept.set(name, (kept.get(name) ?? 0) + 1);
  }
  for (const [zone, count] of kept) {
    if (count + (counts.get(zone) ?? 0) > (allocations.get(zone)?.maximum ?? 0)) return undefined;
  }
  return kept;
}

/** Endpoints of zones that have more than they want are meant for those that have less. */
function redistribute(
  endpoints: readonly Endpoint[],
  allocations: ReadonlyMap<string, Allocation>,
  counts: ReadonlyMap<string, number>,
): void {
  const moves = zoneMoves(allocations, counts);
  for (const endpoint of endpoints) {
    const index = moves.findIndex(({ from }) => from === endpoint.zone);
    const [move] = index < 0 ? [] : moves.splice(index, 1);
    if (move !== undefined) hint(endpoint, move.to);
  }
}

/**
 * One move an endpoint: from the zone that has most too many to the one that has most too few, while both gain by it. Where one
 * has half an endpoint too many and the other half too few nothing is gained, and it would be moved back for ever.
 */
function zoneMoves(
  allocations: ReadonlyMap<string, Allocation>,
  counts: ReadonlyMap<string, number>,
): { readonly from: string; readonly to: string }[] {
  const surplus = new Map([...allocations].map(([zone, { desired }]) => [zone, (counts.get(zone) ?? 0) - desired]));
  const moves: { from: string; to: string }[] = [];
  for (;;) {
    const sorted = [...surplus].sort(([a, most], [b, more]) => more - most || (a < b ? -1 : 1));
    const [from, toGive] = sorted.at(0) ?? ['', 0];
    const [to, lacking] = sorted.at(-1) ?? ['', 0];
    const toReceive = -lacking;
    if (toGive + toReceive <= 1 + ROUNDING || toGive < 0.5 || toReceive < 0.5) return moves;
    surplus.set(from, toGive - 1).set(to, lacking + 1);
    moves.push({ from, to });
  }
}

function hint(endpoint: Endpoint, zone: string): void {
  endpoint.hints = { forZones: [{ name: zone }] };
}

function isReady({ conditions }: Endpoint): boolean {
  return conditions?.ready !== false;
}

function withoutHints({ hints: _, ...endpoint }: Endpoint): Endpoint {
  return endpoint;
}
