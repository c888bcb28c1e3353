/**
 * The tables of one node, compiled, and the walk of a packet through them. A chain that a transaction left alone keeps its
 * compiled form with its counters; one that it replaced starts anew, as with `iptables-restore`.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { RuleCounter } from '../../shared/rules/iptables-save.ts';
import type { Rule } from '../../shared/rules/rule.ts';
import { applyTransaction, emptyRuleset, type Ruleset } from '../../shared/rules/ruleset.ts';
import { type BuiltInChain, type Chain, TABLE_NAMES, type TableName } from '../../shared/rules/table.ts';
import type { RulesReply, RulesTransaction } from '../../shared/rules/transaction.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { CompiledChain, CompiledRule, type MatchContext } from './compiled-chain.ts';
import { PacketFacts } from './packet-facts.ts';

/** Jumps inside jumps; the loader refuses circles, so that only a ladder of chains this long would be cut short. */
const MAX_DEPTH = 64;

/** Told of every rule that a packet matches (traces, and tests that explain their failure). */
export type RuleObserver = (packet: Packet, table: TableName, chain: string, rule: Rule) => void;

/** Through which ports of a bridge its frame comes and goes; set by the bridge for as long as the frame is in the hooks. */
export class BridgePorts {
  physIn: NetDevice | null = null;
  physOut: NetDevice | null = null;
}

export class RuleTables {
  /** What packets see now. */
  ruleset: Ruleset;
  observer: RuleObserver | null = null;
  private readonly ports: BridgePorts;
  private readonly context: MatchContext;
  private readonly view: DataView;
  private readonly facts = new PacketFacts();
  private readonly chains: Record<TableName, Map<string, CompiledChain>>;
  private readonly returnChains: CompiledChain[] = new Array(MAX_DEPTH);
  private readonly returnIndexes = new Int32Array(MAX_DEPTH);

  constructor(bootId: string, view: DataView, context: MatchContext, ports = new BridgePorts()) {
    this.ports = ports;
    this.view = view;
    this.context = context;
    this.ruleset = emptyRuleset(bootId);
    this.chains = { mangle: new Map(), nat: new Map(), filter: new Map() };
    for (const table of TABLE_NAMES) this.compileTable(table, null);
  }

  /** Between two packets: all of it or nothing. */
  apply(transaction: RulesTransaction): RulesReply {
    const before = this.ruleset;
    const { ruleset, reply } = applyTransaction(before, transaction);
    if (ruleset === before) return reply;
    this.ruleset = ruleset;
    for (const table of TABLE_NAMES) {
      if (ruleset.tables[table] !== before.tables[table]) this.compileTable(table, before);
    }
    return reply;
  }

  /** A rule's counters (index -1: the policy's), for `iptables-save -c`. */
  counters(table: TableName, chain: string, index: number): RuleCounter {
    const compiled = this.chains[table].get(chain);
    if (compiled === undefined) return { packets: 0, bytes: 0 };
    if (index < 0) return { packets: compiled.policyPackets, bytes: compiled.policyBytes };
    const rule = compiled.rules[index];
    return { packets: rule?.packets ?? 0, bytes: rule?.bytes ?? 0 };
  }

  /** The addresses that rules name. */
  visitAddresses(visit: (address: number) => void): void {
    for (const table of TABLE_NAMES) {
      for (const { rules } of this.ruleset.tables[table].chains.values()) {
        for (const { source, destination, target } of rules) {
          if (source !== undefined) visit(source.address);
          if (destination !== undefined) visit(destination.address);
          if (target?.kind === 'dnat' || target?.kind === 'snat') visit(target.address);
        }
      }
    }
  }

  /** A built-in chain's compiled form, which lasts as long as the tables. */
  builtIn(table: TableName, chain: BuiltInChain): CompiledChain {
    const compiled = this.chains[table].get(chain);
    if (compiled === undefined) throw new Error(`table ${table} has no built-in chain ${chain}`);
    return compiled;
  }

  /** Walks a packet through a built-in chain: the rule whose target decided; null when the policy (ACCEPT) did. */
  evaluate(
    table: TableName,
    start: CompiledChain,
    packet: Packet,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): CompiledRule | null {
    const { facts } = this;
    facts.read(this.view, packet, inDevice, outDevice);
    facts.physIn = this.ports.physIn;
    facts.physOut = this.ports.physOut;
    const decided = this.walk(table, start);
    if (decided === null) {
      start.policyPackets++;
      start.policyBytes += facts.bytes;
    }
    return decided;
  }

  private walk(table: TableName, start: CompiledChain): CompiledRule | null {
    const { facts } = this;
    let chain = start;
    let index = 0;
    let depth = 0;
    for (;;) {
      if (index >= chain.rules.length) {
        if (depth === 0) return null;
        depth--;
        chain = this.returnChains[depth]!;
        index = this.returnIndexes[depth]!;
        continue;
      }
      const rule = chain.rules[index++]!;
      if (!rule.matches(facts)) continue;
      rule.packets++;
      rule.bytes += facts.bytes;
      if (this.observer !== null) this.observer(facts.packet, table, chain.name, rule.rule);
      const { target } = rule;
      if (target === null) continue;
      switch (target.kind) {
        case 'mark':
          facts.packet.mark = ((facts.packet.mark & ~target.mask) ^ target.value) >>> 0;
          break;
        case 'return':
          index = chain.rules.length;
          break;
        case 'jump':
          if (depth < MAX_DEPTH) {
            this.returnChains[depth] = chain;
            this.returnIndexes[depth] = index;
            depth++;
            chain = rule.next!;
            index = 0;
          }
          break;
        case 'goto':
          chain = rule.next!;
          index = 0;
          break;
        default:
          return rule;
      }
    }
  }

  /** Compiles the chains that changed; `before` is what the present compiled forms stand for. */
  private compileTable(name: TableName, before: Ruleset | null): void {
    const present = this.chains[name];
    const { chains } = this.ruleset.tables[name];
    for (const chain of chains.keys()) if (!present.has(chain)) present.set(chain, new CompiledChain(chain));
    for (const chain of chains.values()) {
      if (chain !== before?.tables[name].chains.get(chain.name)) this.compileChain(name, chain);
    }
    for (const chain of present.keys()) if (!chains.has(chain)) present.delete(chain);
  }

  private compileChain(table: TableName, chain: Chain): void {
    const compiled = this.chains[table].get(chain.name)!;
    compiled.rules = chain.rules.map((rule, index) => {
      const { target } = rule;
      const called = target?.kind === 'jump' || target?.kind === 'goto' ? target.chain : undefined;
      const next = called === undefined ? null : this.chains[table].get(called)!;
      return new CompiledRule(compiled, index, rule, next, this.context, `${table} ${chain.name} rule ${index + 1}`);
    });
  }
}
