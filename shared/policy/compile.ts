/**
 * Policies, pods and namespaces -> what a node is programmed with. Pure.
 *
 *   policies that select the pod, in order of tier and priority -> rules
 *     for each pod that some rule names:  the rules that cover it -> its verdicts by port
 *     for all other addresses:            blocks cut the address space into steps -> verdicts of each step
 *
 * Pods that the same policies select share one result, and peers that the same rules cover share one table of ports.
 */
import { EVERYTHING, type LabelSelector, labelSelectorMatches, labelSelectorText } from '../api/label-selector.ts';
import { AddressSet } from './address-set.ts';
import { AddressSteps } from './address-steps.ts';
import type { DirectionPolicy, EndpointPolicy } from './endpoint-policy.ts';
import type { NamePattern } from './l7-rules.ts';
import { type Place, placeOf } from './place.ts';
import type { PolicyNode } from './policy-node.ts';
import type { NamedPort, PolicyPod } from './policy-pod.ts';
import type { AddressBlock, PodScope, Policy, PolicyRule, RulePeer } from './policy-rule.ts';
import { type PortRange, type PortRule, PortVerdicts } from './port-verdicts.ts';

type Direction = 'ingress' | 'egress';

export interface ClusterState {
  readonly policies: readonly Policy[];
  readonly pods: readonly PolicyPod[];
  /** Labels of the namespaces by name. */
  readonly namespaces: ReadonlyMap<string, Readonly<Record<string, string>>>;
  readonly nodes?: readonly PolicyNode[];
  /** Blocks mean who is outside: no pod and no node is in one, wherever its address lies (cilium's identities). */
  readonly blocksAreOutside?: boolean;
  /** The addresses, as text, that names of a pattern have; nobody's where names are not known. */
  readonly addressesOfNames?: (pattern: NamePattern) => readonly string[];
}

/** One rule of one policy, or the end of an isolating tier. */
interface OrderedRule {
  readonly id: number;
  readonly tier: number;
  readonly rule: PolicyRule;
  readonly cause: string;
  /** `ingress rule 2`; null for the end of a tier. */
  readonly name: string | null;
}

const REFUSE_ALL: PolicyRule = { action: 'deny', peers: null, ports: null };

export class PolicyCompiler {
  private readonly state: ClusterState;
  private readonly policies: readonly Policy[];
  private readonly rules = new Map<PolicyRule, OrderedRule>();
  private readonly refusals = new Map<string, OrderedRule>();
  private readonly selected = new Map<string, ReadonlySet<PolicyPod>>();
  private readonly directions = new Map<string, DirectionPolicy>();
  private readonly sets = new Map<PolicyRule | RulePeer, AddressSet>();
  private nextId = 0;

  constructor(state: ClusterState) {
    this.state = state;
    this.policies = [...state.policies].sort((a, b) => a.tier - b.tier || a.priority - b.priority);
  }

  /** What policies say of a pod; undefined when none selects it. */
  endpoint(pod: PolicyPod): EndpointPolicy | undefined {
    const mine = this.policies.filter(({ subject }) => this.scopeCovers(subject, pod));
    const ingress = this.direction(mine, 'ingress', pod);
    const egress = this.direction(mine, 'egress', pod);
    return ingress === null && egress === null ? undefined : { ingress, egress };
  }

  private direction(policies: readonly Policy[], direction: Direction, pod: PolicyPod): DirectionPolicy | null {
    const rules = this.orderedRules(
      policies.filter((policy) => policy[direction] !== null),
      direction,
    );
    if (rules.length === 0) return null;
    // The server's names for its ports count: of this pod for what comes in, of each peer for what goes out.
    const names = direction === 'ingress' ? namesText(pod.ports) : '';
    const key = `${direction} ${rules.map(({ id }) => id).join(',')} ${names}`;
    let compiled = this.directions.get(key);
    if (compiled === undefined) {
      compiled = this.compile(rules, direction === 'ingress' ? pod.ports : undefined);
      this.directions.set(key, compiled);
    }
    return compiled;
  }

  private orderedRules(policies: readonly Policy[], direction: Direction): OrderedRule[] {
    const ordered: OrderedRule[] = [];
    for (const tier of new Set(policies.map((policy) => policy.tier))) {
      const ofTier = policies.filter((policy) => policy.tier === tier);
      for (const { title, [direction]: rules } of ofTier) {
        for (const [i, rule] of (rules ?? []).entries()) {
          const number = rule.number ?? i + 1;
          const name = rule.name === undefined ? `${number}` : `${number} (${rule.name})`;
          ordered.push(this.numbered(rule, tier, title, `${direction} rule ${name}`));
        }
      }
      const isolating = ofTier.filter(({ isolates }) => isolates).map(({ title }) => title);
      if (isolating.length > 0) ordered.push(this.refusalOf(isolating.sort(), tier));
    }
    return ordered;
  }

  private numbered(rule: PolicyRule, tier: number, cause: string, name: string): OrderedRule {
    let ordered = this.rules.get(rule);
    if (ordered === undefined) {
      ordered = { id: this.nextId++, tier, rule, cause, name };
      this.rules.set(rule, ordered);
    }
    return ordered;
  }

  /** What ends an isolating tier: nothing of what the policies say allowed it. */
  private refusalOf(titles: readonly string[], tier: number): OrderedRule {
    const cause = titles.join(', ');
    let ordered = this.refusals.get(cause);
    if (ordered === undefined) {
      ordered = { id: this.nextId++, tier, rule: REFUSE_ALL, cause, name: null };
      this.refusals.set(cause, ordered);
    }
    return ordered;
  }

  private compile(rules: readonly OrderedRule[], serverPorts: readonly NamedPort[] | undefined): DirectionPolicy {
    const tables = new Map<string, PortVerdicts>();
    const tableOf = (covering: readonly OrderedRule[], ports: readonly NamedPort[]): PortVerdicts => {
      const named = covering.some(({ rule }) => rule.ports?.some((port) => 'name' in port));
      const key = `${covering.map(({ id }) => id).join(',')} ${named ? namesText(ports) : ''}`;
      let table = tables.get(key);
      if (table === undefined) {
        table = new PortVerdicts(covering.map((ordered) => portRuleOf(ordered, ports)));
        tables.set(key, table);
      }
      return table;
    };
    const known = new Map<number, PortVerdicts>();
    for (const pod of this.podsToKnow(rules, serverPorts === undefined)) {
      for (const address of pod.addresses) {
        const place = placeOf(address);
        const covering = rules.filter(({ rule }) => this.coversPod(rule, pod, place));
        known.set(address, tableOf(covering, serverPorts ?? pod.ports));
      }
    }
    const boundaries = rules.flatMap(({ rule }) => this.blocksOf(rule).boundaries());
    const others = new AddressSteps(boundaries, (place) =>
      tableOf(
        rules.filter(({ rule }) => this.coversPlace(rule, place)),
        serverPorts ?? [],
      ),
    );
    return { known, others };
  }

  /** Pods whose address alone does not tell what covers them. */
  private podsToKnow(rules: readonly OrderedRule[], peerIsServer: boolean): Iterable<PolicyPod> {
    const asksForNames = rules.some(({ rule }) => rule.ports?.some((port) => 'name' in port));
    if (peerIsServer && asksForNames) return this.state.pods;
    if (this.state.blocksAreOutside && rules.some(({ rule }) => hasBlocks(rule))) return this.state.pods;
    return new Set(rules.flatMap(({ rule }) => [...this.peersOf(rule), ...this.exceptedBy(rule)]));
  }

  /** As a pod, or by where its address lies. */
  private coversPod(rule: PolicyRule, pod: PolicyPod, place: Place): boolean {
    if (rule.peers?.some(isConditional)) return rule.peers.some((peer) => this.peerCovers(peer, pod, place));
    if (this.peersOf(rule).has(pod)) return true;
    return this.state.blocksAreOutside ? rule.peers === null : this.coversPlace(rule, place);
  }

  private peerCovers(peer: RulePeer, pod: PolicyPod, place: Place): boolean {
    if ('pods' in peer) {
      const { pods, within } = peer;
      return this.podsIn(pods).has(pod) && (within === undefined || this.setOf(peer, () => within).has(place));
    }
    if ('block' in peer && peer.notPods !== undefined && this.podsIn(peer.notPods).has(pod)) return false;
    return this.setOf(peer, () => this.addressBlocks(peer)).has(place);
  }

  private coversPlace(rule: PolicyRule, place: Place): boolean {
    return rule.peers === null || this.blocksOf(rule).has(place);
  }

  private blocksOf(rule: PolicyRule): AddressSet {
    return this.setOf(rule, () => (rule.peers ?? []).flatMap((peer) => this.addressBlocks(peer)));
  }

  /** `blocks`: always the same for one rule or peer; asked for once. */
  private setOf(key: PolicyRule | RulePeer, blocks: () => readonly AddressBlock[]): AddressSet {
    let set = this.sets.get(key);
    if (set === undefined) {
      set = new AddressSet(blocks());
      this.sets.set(key, set);
    }
    return set;
  }

  private addressBlocks(peer: RulePeer): AddressBlock[] {
    if ('block' in peer) return [this.state.blocksAreOutside ? this.withoutNodes(peer.block) : peer.block];
    if ('names' in peer) {
      const addresses = this.state.addressesOfNames?.(peer.names) ?? [];
      return addresses.map((address) => this.withoutNodes({ cidr: hostCidr(address), except: [] }));
    }
    return 'nodes' in peer ? this.nodeAddresses(peer.nodes).map((cidr) => ({ cidr, except: [] })) : [];
  }

  private withoutNodes({ cidr, except }: AddressBlock): AddressBlock {
    return { cidr, except: [...except, ...this.nodeAddresses(EVERYTHING)] };
  }

  /** As blocks of one address. */
  private nodeAddresses(selector: LabelSelector): string[] {
    return (this.state.nodes ?? [])
      .filter(({ labels }) => labelSelectorMatches(selector, labels))
      .flatMap(({ addresses }) => addresses)
      .map(hostCidr);
  }

  /** Pods that a rule names as pods. */
  private peersOf(rule: PolicyRule): ReadonlySet<PolicyPod> {
    const scopes = (rule.peers ?? []).flatMap((peer) => ('pods' in peer ? [peer.pods] : []));
    const [first] = scopes;
    if (first === undefined) return NOBODY;
    if (scopes.length === 1) return this.podsIn(first);
    return new Set(scopes.flatMap((scope) => [...this.podsIn(scope)]));
  }

  /** Pods that a rule does not mean, though their addresses are in its blocks. */
  private exceptedBy({ peers }: PolicyRule): PolicyPod[] {
    return (peers ?? []).flatMap((peer) =>
      'block' in peer && peer.notPods !== undefined ? [...this.podsIn(peer.notPods)] : [],
    );
  }

  podsIn(scope: PodScope): ReadonlySet<PolicyPod> {
    const key = scopeText(scope);
    let pods = this.selected.get(key);
    if (pods === undefined) {
      pods = new Set(this.state.pods.filter((pod) => this.scopeCovers(scope, pod)));
      this.selected.set(key, pods);
    }
    return pods;
  }

  private scopeCovers({ namespace, namespaceSelector, podSelector, expression }: PodScope, pod: PolicyPod): boolean {
    if (namespace !== undefined && namespace !== pod.namespace) return false;
    if (podSelector !== undefined && !labelSelectorMatches(podSelector, pod.labels)) return false;
    const labels = this.state.namespaces.get(pod.namespace);
    if (expression !== undefined && !expression.covers(pod, labels)) return false;
    if (namespaceSelector === undefined) return true;
    return labels !== undefined && labelSelectorMatches(namespaceSelector, labels);
  }
}

const NOBODY: ReadonlySet<PolicyPod> = new Set();

/** Whom it covers depends on the pod and on its address. */
function isConditional(peer: RulePeer): boolean {
  return ('pods' in peer && peer.within !== undefined) || ('block' in peer && peer.notPods !== undefined);
}

function hasBlocks({ peers }: PolicyRule): boolean {
  return peers?.some((peer) => 'block' in peer || 'names' in peer) ?? false;
}

function hostCidr(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

function portRuleOf({ rule, tier, cause, name }: OrderedRule, serverPorts: readonly NamedPort[]): PortRule {
  const ranges = rule.ports?.flatMap((port): PortRange[] => {
    if (!('name' in port)) return [port];
    return serverPorts
      .filter(({ name, protocol }) => name === port.name && (port.protocol === null || protocol === port.protocol))
      .map(({ protocol, port: number }) => ({ protocol, first: number, last: number }));
  });
  return { tier, action: rule.action, ports: ranges ?? null, cause, rule: name, l7: rule.l7 };
}

function namesText(ports: readonly NamedPort[]): string {
  return ports.map(({ name, protocol, port }) => `${name}=${protocol}/${port}`).join(',');
}

function scopeText({ namespace, namespaceSelector, podSelector, expression }: PodScope): string {
  const text = (selector: LabelSelector | undefined) => (selector === undefined ? '*' : labelSelectorText(selector));
  return `${namespace ?? '*'} | ${text(namespaceSelector)} | ${text(podSelector)} | ${expression?.text ?? '*'}`;
}
