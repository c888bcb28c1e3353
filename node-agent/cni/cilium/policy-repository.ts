/** `cilium-dbg policy get`: the policies that the agent knows, in cilium's own form, NetworkPolicies translated into it. */
import type { NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec } from 'kubernetes-types/networking/v1.d.ts';
import type { LabelSelectorObject } from '../../../shared/api/label-selector.ts';
import { isJsonObject, type JsonObject } from '../../../shared/api/object.ts';
import { NAMESPACE_LABEL, NAMESPACE_LABELS } from '../../../shared/policy/cilium-policy.ts';
import type { Policy, PolicyOrigin } from '../../../shared/policy/policy-rule.ts';

const PEER_SELECTORS = ['fromEndpoints', 'toEndpoints'];
const DIRECTIONS = ['ingress', 'ingressDeny', 'egress', 'egressDeny'];

export class PolicyRepository {
  /** Counts the changes. */
  revision = 1;
  private origins: readonly PolicyOrigin[] = [];

  follow(policies: readonly Policy[]): void {
    const bySpec = new Map(policies.flatMap(({ origin }) => (origin === undefined ? [] : [[origin.spec, origin]])));
    const now = [...bySpec.values()];
    const before = new Set(this.origins.map(({ spec }) => spec));
    const isSame = now.length === before.size && now.every(({ spec }) => before.has(spec));
    if (!isSame) this.revision++;
    this.origins = now;
  }

  get text(): string {
    return `${JSON.stringify(this.origins.map(ruleOf), null, 2)}\nRevision: ${this.revision}\n`;
  }
}

function ruleOf({ kind, metadata, spec }: PolicyOrigin): object {
  const { namespace, name, uid } = metadata ?? {};
  const label = (key: string, value: string | undefined) =>
    value === undefined ? [] : [{ key: `io.cilium.k8s.policy.${key}`, value, source: 'k8s' }];
  const labels = [
    ...label('derived-from', kind),
    ...label('name', name),
    ...label('namespace', namespace),
    ...label('uid', uid),
  ];
  const rule =
    kind === 'NetworkPolicy' ? translated(spec as NetworkPolicySpec, namespace) : inNamespace(spec, namespace);
  return { ...rule, labels };
}

/** With the namespace that a selector means, and the source of labels, where their author left them out. */
function inNamespace(spec: object, namespace: string | undefined): object {
  const sides = Object.entries(spec).map(([field, value]) => {
    if (field === 'endpointSelector') return [field, sourced(value, 'any', namespace)];
    if (!DIRECTIONS.includes(field) || !Array.isArray(value)) return [field, value];
    return [field, value.filter(isJsonObject).map((rule) => withPeers(rule, namespace))];
  });
  return Object.fromEntries(sides);
}

function withPeers(rule: JsonObject, namespace: string | undefined): object {
  const peers = PEER_SELECTORS.flatMap((field) => {
    const list = rule[field];
    return Array.isArray(list) ? [[field, list.map((selector) => sourced(selector, 'any', namespace))]] : [];
  });
  return { ...rule, ...Object.fromEntries(peers) };
}

function sourced(selector: LabelSelectorObject | null | undefined, source: string, namespace: string | undefined) {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  const named = (key: string): string => (/^(k8s|any|reserved)[:.]/.test(key) ? key : `${source}:${key}`);
  const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
  const saysNamespace = keys.some((key) => key.includes(NAMESPACE_LABEL) || key.includes(NAMESPACE_LABELS));
  const place = namespace === undefined || saysNamespace ? {} : { [`k8s:${NAMESPACE_LABEL}`]: namespace };
  const labels = Object.fromEntries(Object.entries(matchLabels).map(([key, value]) => [named(key), value]));
  const expressions = matchExpressions.map((expression) => ({ ...expression, key: named(expression.key) }));
  return {
    ...(Object.keys({ ...labels, ...place }).length === 0 ? {} : { matchLabels: { ...labels, ...place } }),
    ...(expressions.length === 0 ? {} : { matchExpressions: expressions }),
  };
}

function translated({ podSelector, ingress, egress }: NetworkPolicySpec, namespace: string | undefined): object {
  const side = (
    end: 'from' | 'to',
    rules: readonly { from?: NetworkPolicyPeer[]; to?: NetworkPolicyPeer[]; ports?: NetworkPolicyPort[] }[] = [],
  ) => rules.map((rule) => ({ ...peersOf(end, rule[end] ?? [], namespace), ...portsOf(rule.ports ?? []) }));
  return {
    endpointSelector: sourced(podSelector, 'k8s', namespace),
    ...(ingress === undefined ? {} : { ingress: side('from', ingress) }),
    ...(egress === undefined ? {} : { egress: side('to', egress) }),
  };
}

function peersOf(end: 'from' | 'to', peers: readonly NetworkPolicyPeer[], namespace: string | undefined): object {
  const blocks = peers.flatMap(({ ipBlock }) => ipBlock ?? []);
  const selectors = peers.filter(({ ipBlock }) => ipBlock === undefined);
  if (peers.length === 0) return { [`${end}Entities`]: ['all'] };
  return {
    ...(selectors.length === 0 ? {} : { [`${end}Endpoints`]: selectors.map((peer) => selectorOf(peer, namespace)) }),
    ...(blocks.length === 0 ? {} : { [`${end}CIDRSet`]: blocks }),
  };
}

/** Labels of namespaces stand among those of pods, under a prefix of their own. */
function selectorOf({ podSelector, namespaceSelector }: NetworkPolicyPeer, namespace: string | undefined): object {
  if (namespaceSelector === undefined) return sourced(podSelector, 'k8s', namespace);
  const { matchLabels = {}, matchExpressions = [] } = namespaceSelector;
  const below = (key: string): string => `${NAMESPACE_LABELS}${key}`;
  const everywhere = Object.keys(matchLabels).length + matchExpressions.length === 0;
  const any = everywhere ? [{ key: NAMESPACE_LABEL, operator: 'Exists' }] : [];
  return sourced(
    {
      matchLabels: {
        ...podSelector?.matchLabels,
        ...Object.fromEntries(Object.entries(matchLabels).map(([key, value]) => [below(key), value])),
      },
      matchExpressions: [
        ...(podSelector?.matchExpressions ?? []),
        ...matchExpressions.map((expression) => ({ ...expression, key: below(expression.key) })),
        ...any,
      ],
    },
    'k8s',
    undefined,
  );
}

function portsOf(ports: readonly NetworkPolicyPort[]): object {
  if (ports.length === 0) return {};
  const list = ports.map(({ port = 0, endPort, protocol = 'TCP' }) => ({
    port: `${port}`,
    ...(endPort === undefined ? {} : { endPort }),
    protocol,
  }));
  return { toPorts: [{ ports: list }] };
}
