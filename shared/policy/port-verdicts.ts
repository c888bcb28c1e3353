/**
 * What one peer may do at which port, decided in advance: an ordered list of rules becomes, for each protocol that they name,
 * a step function from ports to decisions. So a packet costs the same however many rules there were.
 */
import type { DropReason } from '../netstack/hooks.ts';
import type { L7Alternative, L7Decision, L7Rules } from './l7-rules.ts';
import { StepFunction } from './step-function.ts';

export const POLICY_DENIED = 'policy-denied';
export const PROTOCOL_SCTP = 132;

/** Both ends belong to it. Of ICMP, types stand for ports. */
interface PortsOfProtocol {
  readonly protocol: number;
  readonly first: number;
  readonly last: number;
}

/** `notProtocol`: all ports of all others. */
export type PortRange = PortsOfProtocol | { readonly notProtocol: number };

/** One rule as it applies to one peer. */
export interface PortRule {
  /** Rules of a tier stand together; `pass` leaves the rest of its tier out. */
  readonly tier: number;
  readonly action: 'allow' | 'deny' | 'pass' | 'log';
  /** null: every protocol and port, ICMP too. */
  readonly ports: readonly PortRange[] | null;
  /** Who says so: `NetworkPolicy default/web`. */
  readonly cause: string;
  /** Which of its rules: `ingress rule 2`; null for what no rule says, the end of an isolating tier. */
  readonly rule: string | null;
  /** Of one that allows. */
  readonly l7?: L7Rules;
}

export interface PolicyDecision {
  /** null allows. */
  readonly drop: DropReason | null;
  readonly cause: string;
  readonly rule: string | null;
  /** It depends on what the connection carries. */
  readonly l7?: L7Decision;
  /** How many rules before it want a line in the kernel's log; absent for none. */
  readonly logs?: number;
}

export interface PortEntry {
  readonly protocol: number | null;
  /** Both ends belong to it. */
  readonly first: number;
  readonly last: number;
  readonly decision: PolicyDecision;
}

const PORTS = 65_536;
const NO_POLICY: PolicyDecision = { drop: null, cause: 'no policy', rule: null };

export class PortVerdicts {
  private readonly byProtocol = new Map<number, StepFunction<PolicyDecision>>();
  /** Of protocols that no rule names. */
  private readonly others: PolicyDecision;

  /** The first rule that covers a port decides; where none does, the port is open. */
  constructor(rules: readonly PortRule[]) {
    const decisions = new Map<PortRule, PolicyDecision>(rules.map((rule) => [rule, decisionOf(rule)]));
    const first = (covers: (rule: PortRule) => boolean): PolicyDecision => {
      const { rule, logs } = firstDeciding(rules, covers);
      const decision = rule === undefined ? NO_POLICY : (withL7(rules, rule, covers) ?? decisions.get(rule)!);
      return logs === 0 ? decision : { ...decision, logs };
    };
    this.others = first(({ ports }) => ports?.some((range) => 'notProtocol' in range) ?? true);
    const named = rules.flatMap(({ ports }) => ports ?? []);
    const protocols = named.map((range) => ('notProtocol' in range ? range.notProtocol : range.protocol));
    for (const protocol of new Set(protocols)) {
      const boundaries = named.flatMap((range) =>
        'notProtocol' in range || range.protocol !== protocol ? [] : [range.first, range.last + 1],
      );
      const steps = new StepFunction(0, boundaries, (port) => first((rule) => covers(rule, protocol, port)));
      this.byProtocol.set(protocol, steps);
    }
  }

  /** All of it: ranges of ports and what holds there; a null protocol stands for those that no rule names. */
  entries(): readonly PortEntry[] {
    const named = [...this.byProtocol].flatMap(([protocol, steps]) => {
      const all = steps.steps();
      return all.map(([first, decision], i) => ({ protocol, first, last: (all[i + 1]?.[0] ?? PORTS) - 1, decision }));
    });
    return [...named, { protocol: null, first: 0, last: PORTS - 1, decision: this.others }];
  }

  /** The ports of a protocol at which decisions may change, from 0. */
  boundaries(protocol: number): readonly number[] {
    return this.byProtocol.get(protocol)?.starts ?? [0];
  }

  /** `port` is the server's; of ICMP the type that opened the flow; any number for a protocol that has neither. */
  decide(protocol: number, port: number): PolicyDecision {
    return this.byProtocol.get(protocol)?.at(port) ?? this.others;
  }
}

interface Deciding {
  readonly rule: PortRule | undefined;
  /** Rules before it that want to be logged. */
  readonly logs: number;
}

function firstDeciding(rules: readonly PortRule[], covers: (rule: PortRule) => boolean): Deciding {
  let passedTier: number | undefined;
  let logs = 0;
  for (const rule of rules) {
    if (rule.tier === passedTier || !covers(rule)) continue;
    if (rule.action === 'log') logs++;
    else if (rule.action !== 'pass') return { rule, logs };
    else passedTier = rule.tier;
  }
  return { rule: undefined, logs };
}

/**
 * All rules of the tier that allow the port have a say in what it may carry, those too that ask nothing. Undefined where none
 * asks.
 */
function withL7(
  rules: readonly PortRule[],
  first: PortRule,
  covers: (rule: PortRule) => boolean,
): PolicyDecision | undefined {
  if (first.action !== 'allow') return undefined;
  const allowing = rules.filter((rule) => rule.tier === first.tier && rule.action === 'allow' && covers(rule));
  const kind = allowing.find(({ l7 }) => l7 !== undefined)?.l7?.kind;
  if (kind === undefined) return undefined;
  const alternatives = allowing.map(({ l7, cause, rule }): L7Alternative => ({ rules: l7 ?? null, cause, rule }));
  return { drop: null, cause: first.cause, rule: first.rule, l7: { kind, alternatives } };
}

function covers({ ports }: PortRule, protocol: number, port: number): boolean {
  return (
    ports === null ||
    ports.some((range) => {
      if ('notProtocol' in range) return range.notProtocol !== protocol;
      return range.protocol === protocol && range.first <= port && port <= range.last;
    })
  );
}

function decisionOf({ action, cause, rule }: PortRule): PolicyDecision {
  return { drop: action === 'deny' ? Object.freeze({ code: POLICY_DENIED, cause }) : null, cause, rule };
}
