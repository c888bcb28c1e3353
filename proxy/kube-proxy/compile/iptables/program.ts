/** The whole program of a node in iptables mode, and what has to be sent to get from one program to the next. */
import type { Rule } from '../../../../shared/rules/rule.ts';
import type { RulesTransaction, TableChange } from '../../../../shared/rules/transaction.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';
import type { ProxyContext } from '../proxy-context.ts';
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

type Chains = ReadonlyMap<string, readonly Rule[]>;

export interface Program {
  readonly nat: Chains;
  readonly filter: Chains;
}

export const EMPTY_PROGRAM: Program = { nat: new Map(), filter: new Map() };

/**
 * Joins the rules of all Service ports, in the order given. `previous` lends its common chains where they came out the same,
 * so that the difference to it is found by identity.
 */
export function assembleProgram(
  services: Iterable<ServiceRules>,
  { family, localhostNodePorts }: Pick<ProxyContext, 'family' | 'localhostNodePorts'>,
  previous: Program = EMPTY_PROGRAM,
): Program {
  const nat = new Map<string, readonly Rule[]>();
  const common = {
    services: [],
    nodePorts: [],
    filterServices: [],
    filterExternal: [],
    filterNodePorts: [],
    filterFirewall: [],
  };
  const joined: Record<keyof typeof common, Rule[]> = common;
  for (const one of services) {
    for (const field of Object.keys(joined) as (keyof typeof common)[]) {
      for (const rule of one[field]) joined[field].push(rule);
    }
    for (const chain in one.chains) nat.set(chain, one.chains[chain] ?? []);
  }
  joined.services.push(nodePortsRuleOf(family, localhostNodePorts));
  nat.set(SERVICES, keep(previous.nat, SERVICES, joined.services));
  nat.set(NODE_PORTS, keep(previous.nat, NODE_PORTS, joined.nodePorts));
  nat.set(POSTROUTING, POSTROUTING_RULES);
  nat.set(MARK_MASQ, MARK_MASQ_RULES);
  const filter = new Map<string, readonly Rule[]>([
    [NODE_PORTS, keep(previous.filter, NODE_PORTS, joined.filterNodePorts)],
    [SERVICES, keep(previous.filter, SERVICES, joined.filterServices)],
    [EXTERNAL_SERVICES, keep(previous.filter, EXTERNAL_SERVICES, joined.filterExternal)],
    [FORWARD, FORWARD_RULES],
    [PROXY_FIREWALL, keep(previous.filter, PROXY_FIREWALL, joined.filterFirewall)],
  ]);
  return { nat, filter };
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

function keep(previous: Chains, name: string, rules: readonly Rule[]): readonly Rule[] {
  const before = previous.get(name);
  const unchanged =
    before !== undefined && before.length === rules.length && before.every((rule, i) => rule === rules[i]);
  return unchanged ? before : rules;
}

/** Everything, for a node that starts anew. */
export function fullTables(program: Program): RulesTransaction['tables'] {
  return {
    nat: { set: Object.fromEntries(program.nat), hooks: NAT_HOOKS },
    filter: { set: Object.fromEntries(program.filter), hooks: FILTER_HOOKS },
  };
}

/** Only the chains that differ; undefined when none does. */
export function changedTables(before: Program, after: Program): RulesTransaction['tables'] | undefined {
  const nat = changes(before.nat, after.nat);
  const filter = changes(before.filter, after.filter);
  if (nat === undefined && filter === undefined) return undefined;
  return { ...(nat === undefined ? {} : { nat }), ...(filter === undefined ? {} : { filter }) };
}

function changes(before: Chains, after: Chains): TableChange | undefined {
  const set: Record<string, readonly Rule[]> = {};
  let count = 0;
  for (const [name, rules] of after) {
    if (before.get(name) === rules) continue;
    set[name] = rules;
    count++;
  }
  const gone = [...before.keys()].filter((name) => !after.has(name));
  return count === 0 && gone.length === 0 ? undefined : { set, delete: gone };
}
