/** `cilium-dbg bpf policy get`: what policies say of the pods here, as entries of their maps. */
import { type DirectionPolicy, type EndpointPolicy, verdictsFor } from '../../../shared/policy/endpoint-policy.ts';
import type { PortEntry, PortVerdicts } from '../../../shared/policy/port-verdicts.ts';
import { PROXY_PORT } from '../../datapath/cilium/proxy-namespace.ts';
import { PolicyEngine } from '../../datapath/policy/policy-engine.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { endpointId } from './endpoint-id.ts';
import { identityLabels } from './identity-labels.ts';
import { textTable } from './text-table.ts';

const HEAD = ['POLICY', 'DIRECTION', 'LABELS (source:key[=value])', 'PORT/PROTO', 'PROXY PORT', 'AUTH TYPE'];
const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP' };
const LAST_PORT = 65_535;
/** Of the world, as far as no block has it. */
const ELSEWHERE = 0;

type Direction = 'Ingress' | 'Egress';

/** `wanted`: the endpoint's number, or `--all`. */
export function bpfPolicyGet(view: CiliumView, wanted: string): string {
  const { datapath } = view;
  const policy = engineOf(view);
  const all = (policy?.list() ?? []).map(([address, said]) => ({ id: `${endpointId(datapath, address)}`, said }));
  const meant = wanted === '--all' ? all : all.filter(({ id }) => id === wanted);
  if (meant.length === 0 && wanted !== '--all') return `Error: no endpoint ${wanted} that policies speak of\n`;
  return meant
    .map(
      ({ id, said }) =>
        `${wanted === '--all' ? `Endpoint ID: ${id}\n` : ''}${textTable([HEAD, ...rowsOf(view, said)])}`,
    )
    .join('\n');
}

/** Ports of pods here, in each direction, that lead to a proxy. */
export function redirectsOf(view: CiliumView): number {
  const places = new Set<string>();
  for (const [address, { ingress, egress }] of engineOf(view)?.list() ?? []) {
    for (const [side, direction] of [ingress, egress].entries()) {
      for (const table of tablesOf(direction)) {
        for (const { protocol, first, decision } of table.entries()) {
          if (decision.l7 !== undefined) places.add(`${address} ${side} ${protocol} ${first}`);
        }
      }
    }
  }
  return places.size;
}

export function engineOf({ datapath }: CiliumView): PolicyEngine | undefined {
  const { policy } = datapath.netfilter;
  return policy instanceof PolicyEngine ? policy : undefined;
}

function tablesOf(direction: DirectionPolicy | null): ReadonlySet<PortVerdicts> {
  return new Set(direction === null ? [] : [...direction.known.values(), verdictsFor(direction, ELSEWHERE)]);
}

function rowsOf(view: CiliumView, { ingress, egress }: EndpointPolicy): string[][] {
  return [...directionRows(view, 'Ingress', ingress), ...directionRows(view, 'Egress', egress)];
}

/** The node may always; who has one identity has one entry. */
function directionRows(
  { directory, network }: CiliumView,
  name: Direction,
  policy: DirectionPolicy | null,
): string[][] {
  if (policy === null) return [['Allow', name, 'ANY', 'ANY', 'NONE', 'disabled']];
  const host = name === 'Ingress' ? [['Allow', name, 'reserved:host', 'ANY', 'NONE', 'disabled']] : [];
  const byIdentity = new Map<number, PortVerdicts>();
  for (const [address, verdicts] of policy.known) byIdentity.set(network.ipCache.identityOf(address), verdicts);
  const known = [...byIdentity].sort(([a], [b]) => a - b);
  const rows = known.flatMap(([identity, verdicts]) =>
    entryRows(name, identityLabels(directory, identity), verdicts.entries()),
  );
  const world = entryRows(name, ['reserved:world'], verdictsFor(policy, ELSEWHERE).entries());
  return [...host, ...rows, ...world];
}

/** What no rule allows is denied without an entry. */
function entryRows(direction: Direction, labels: readonly string[], entries: readonly PortEntry[]): string[][] {
  const [first = '', ...others] = labels;
  return entries.flatMap((entry) => {
    const { drop, rule, l7 } = entry.decision;
    if (drop !== null && rule === null) return [];
    const action = drop === null ? 'Allow' : 'Deny';
    const proxy = l7 === undefined ? 'NONE' : `${PROXY_PORT}`;
    return [
      [action, direction, first, portText(entry), proxy, 'disabled'],
      ...others.map((label) => ['', '', label, '', '', '']),
    ];
  });
}

function portText({ protocol, first, last }: PortEntry): string {
  if (protocol === null) return 'ANY';
  const name = PROTOCOLS[protocol] ?? `${protocol}`;
  if (first === 0 && last === LAST_PORT) return `ANY/${name}`;
  return first === last ? `${first}/${name}` : `${first}-${last}/${name}`;
}
