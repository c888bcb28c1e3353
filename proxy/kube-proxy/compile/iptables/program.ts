/** The whole program of a node in iptables mode, and what has to be sent to get from what the node has to it. */
import type { Rule } from '../../../../shared/rules/rule.ts';
import type { RulesTransaction } from '../../../../shared/rules/transaction.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { ChainSet } from './chain-set.ts';
import {
  EXTERNAL_SERVICES,
  FILTER_HOOKS,
  FORWARD,
  FORWARD_RULES,
  MARK_MASQ,
  MARK_MASQ_RULES,
  NAT_HOOKS,
  NODE_PORTS,
  nodePortsRule,
  POSTROUTING,
  POSTROUTING_RULES,
  PROXY_FIREWALL,
  SERVICES,
} from './fixed-chains.ts';
import type { ServiceRules } from './service-rules.ts';

/** What each Service port adds to a chain that all share. */
type SharedPart = Exclude<keyof ServiceRules, 'chains'>;

const SHARED_CHAINS: Readonly<Record<SharedPart, readonly ['nat' | 'filter', string]>> = {
  services: ['nat', SERVICES],
  nodePorts: ['nat', NODE_PORTS],
  filterNodePorts: ['filter', NODE_PORTS],
  filterServices: ['filter', SERVICES],
  filterExternal: ['filter', EXTERNAL_SERVICES],
  filterFirewall: ['filter', PROXY_FIREWALL],
};
const SHARED_PARTS = Object.keys(SHARED_CHAINS) as SharedPart[]; // they are its keys

export class Program {
  private readonly nat = new ChainSet();
  private readonly filter = new ChainSet();
  private readonly lastRule: Rule;
  /** Whose shared chain has to be joined again. */
  private readonly stale = new Set(SHARED_PARTS);

  constructor({ family, localhostNodePorts }: Pick<ProxyContext, 'family' | 'localhostNodePorts'>) {
    this.lastRule = nodePortsRuleOf(family, localhostNodePorts);
    this.nat.set(POSTROUTING, POSTROUTING_RULES);
    this.nat.set(MARK_MASQ, MARK_MASQ_RULES);
    this.filter.set(FORWARD, FORWARD_RULES);
  }

  /** One Service's rules in place of those it had; rules that stayed the same are the same objects. */
  replace(before: readonly ServiceRules[], after: readonly ServiceRules[]): void {
    const kept = new Set(after.flatMap(({ chains }) => Object.keys(chains)));
    for (const { chains } of before) for (const name in chains) if (!kept.has(name)) this.nat.delete(name);
    for (const { chains } of after) for (const name in chains) this.nat.set(name, chains[name] ?? []);
    for (const part of SHARED_PARTS) if (!isShareKept(part, before, after)) this.stale.add(part);
  }

  /** Makes the shared chains again to which something was added, or from which it went; `services` in their order. */
  join(services: Iterable<readonly ServiceRules[]>): void {
    if (this.stale.size === 0) return;
    const joined = new Map<SharedPart, Rule[]>([...this.stale].map((part) => [part, []]));
    for (const ports of services) {
      for (const rules of ports) for (const [part, chain] of joined) for (const rule of rules[part]) chain.push(rule);
    }
    joined.get('services')?.push(this.lastRule);
    for (const [part, rules] of joined) {
      const [table, name] = SHARED_CHAINS[part];
      const before = this[table].get(name);
      if (before === undefined || !areSame(before, rules)) this[table].set(name, rules);
    }
    this.stale.clear();
  }

  /** Everything, for a node that starts anew. */
  fullTables(): RulesTransaction['tables'] {
    return {
      nat: { set: this.nat.all(), hooks: NAT_HOOKS },
      filter: { set: this.filter.all(), hooks: FILTER_HOOKS },
    };
  }

  /** Only the chains that differ; undefined when none does. */
  changedTables(): RulesTransaction['tables'] | undefined {
    const nat = this.nat.changes();
    const filter = this.filter.changes();
    if (nat === undefined && filter === undefined) return undefined;
    return { ...(nat === undefined ? {} : { nat }), ...(filter === undefined ? {} : { filter }) };
  }

  /** The node has the present program. */
  settle(): void {
    this.nat.settle();
    this.filter.settle();
  }

  ruleCounts(): { readonly nat: number; readonly filter: number } {
    return { nat: this.nat.ruleCount, filter: this.filter.ruleCount };
  }
}

function isShareKept(part: SharedPart, before: readonly ServiceRules[], after: readonly ServiceRules[]): boolean {
  const of = (rules: readonly ServiceRules[]): Rule[] => rules.flatMap((one) => one[part]);
  return areSame(of(before), of(after));
}

function areSame(before: readonly Rule[], after: readonly Rule[]): boolean {
  return before.length === after.length && before.every((rule, i) => rule === after[i]);
}

const lastRules = {
  on: nodePortsRule('ipv4', true),
  off: nodePortsRule('ipv4', false),
  ipv6: nodePortsRule('ipv6', false),
};

function nodePortsRuleOf(family: IpFamily, localhostNodePorts: boolean): Rule {
  if (family === 'ipv6') return lastRules.ipv6;
  return localhostNodePorts ? lastRules.on : lastRules.off;
}
