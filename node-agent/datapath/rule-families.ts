/** The rules of one node: the tables for IPv4's packets and, of the same kinds, those for IPv6's. */
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import type { TableName } from '../../shared/rules/table.ts';
import type { RulesReply, RulesTransaction } from '../../shared/rules/transaction.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import type { MatchContext } from './compiled-chain.ts';
import { BridgePorts, type RuleObserver, RuleTables } from './rule-tables.ts';

export interface RuleListOptions {
  /** `ipv4` by default. */
  readonly family?: IpFamily;
  readonly table?: TableName;
  readonly counters?: boolean;
}

export class RuleFamilies {
  readonly ipv4: RuleTables;
  readonly ipv6: RuleTables;
  readonly ports = new BridgePorts();

  constructor(bootId: string, view: DataView, context: MatchContext) {
    this.ipv4 = new RuleTables('ipv4', bootId, view, context, this.ports);
    this.ipv6 = new RuleTables('ipv6', bootId, view, context, this.ports);
  }

  set observer(observer: RuleObserver | null) {
    this.ipv4.observer = observer;
    this.ipv6.observer = observer;
  }

  /** Between two packets. */
  apply(transaction: RulesTransaction): RulesReply {
    return this[transaction.family ?? 'ipv4'].apply(transaction);
  }

  /** `iptables-save [-t table] [-c]`, `ip6tables-save`. */
  list(options: RuleListOptions = {}): string {
    const tables = this[options.family ?? 'ipv4'];
    return iptablesSave(tables.ruleset, {
      family: options.family,
      table: options.table,
      counters: options.counters ? (table, chain, index) => tables.counters(table, chain, index) : undefined,
    });
  }

  visitAddresses(visit: (address: number) => void): void {
    this.ipv6.visitAddresses(visit);
  }
}
