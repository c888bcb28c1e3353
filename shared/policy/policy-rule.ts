/** Policies of whatever API as the compiler takes them: whom they select, and rules in the order in which they are read. */
import type { LabelSelector } from '../api/label-selector.ts';
import type { L7Rules, NamePattern } from './l7-rules.ts';
import type { PolicyPod } from './policy-pod.ts';
import type { PortRange } from './port-verdicts.ts';

/**
 * Lower tiers are asked first. A tier says nothing of a connection that none of its rules covers. The numbers are calico's
 * orders, among which its users place tiers of their own.
 */
export const TIER_ADMIN = 1000;
export const TIER_NAMESPACE = 1_000_000;
export const TIER_BASELINE = 10_000_000;

/** What no LabelSelector can say. `text` tells it from others. */
export interface PodExpression {
  readonly text: string;
  readonly covers: (pod: PolicyPod, namespaceLabels: Readonly<Record<string, string>> | undefined) => boolean;
}

/** Which pods; an absent part restricts nothing. */
export interface PodScope {
  /** One namespace by name. */
  readonly namespace?: string;
  /** Namespaces by their labels. */
  readonly namespaceSelector?: LabelSelector;
  readonly podSelector?: LabelSelector;
  readonly expression?: PodExpression;
}

/** Addresses of a block without those of the inner blocks, as text: `10.0.0.0/8`. */
export interface AddressBlock {
  readonly cidr: string;
  readonly except: readonly string[];
}

export type RulePeer =
  /** `within`: as far as their addresses are in one of these blocks. */
  | { readonly pods: PodScope; readonly within?: readonly AddressBlock[] }
  /** `notPods`: whoever is in the block but these. */
  | { readonly block: AddressBlock; readonly notPods?: PodScope }
  /** The addresses of nodes with these labels. */
  | { readonly nodes: LabelSelector }
  /** The addresses that names have, as far as the node was told. */
  | { readonly names: NamePattern };

/** A range of numbers (of ICMP: of types), all that is not of a protocol, or a port by the name that the server's pod gives it. */
export type RulePort =
  | PortRange
  /** A null protocol: whichever the pod's port has. */
  | { readonly protocol: number | null; readonly name: string };

export interface PolicyRule {
  /** As its author named it, where the API lets him. */
  readonly name?: string;
  /** Which of its object's rules it is part of, from 1, where it is not the place in the list. */
  readonly number?: number;
  /** `log` goes on with the next rule, once the kernel's log has a line of it. */
  readonly action: 'allow' | 'deny' | 'pass' | 'log';
  /** null: everybody. */
  readonly peers: readonly RulePeer[] | null;
  /** null: every protocol and port. */
  readonly ports: readonly RulePort[] | null;
  /** Of a rule that allows: what connections may carry. */
  readonly l7?: L7Rules;
}

/** The object that a policy is of. */
export interface PolicyOrigin {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string; readonly name?: string; readonly uid?: string } | undefined;
  /** As its author wrote it; of an object with several, one of them. */
  readonly spec: object;
}

export interface Policy {
  /** As a user names it: `NetworkPolicy default/web`. */
  readonly title: string;
  readonly tier: number;
  /** Order within the tier, lowest first. */
  readonly priority: number;
  readonly subject: PodScope;
  /** null: the policy does not speak of this direction. */
  readonly ingress: readonly PolicyRule[] | null;
  readonly egress: readonly PolicyRule[] | null;
  /** Whoever is selected for a direction may do only what some policy of the tier allows. */
  readonly isolates: boolean;
  /** For commands that show it. */
  readonly origin?: PolicyOrigin;
}
