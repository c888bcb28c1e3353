/**
 * The tables of one node, compiled, and the walk of a packet through them. A chain that a transaction left alone keeps its
 * compiled form with its counters; one that it replaced starts anew, as with `iptables-restore`.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { formatRule, type RuleCounter } from '../../shared/rules/iptables-save.ts';
import { NFT_FAMILIES } from '../../shared/rules/nft-text.ts';
import { type EditRefusal, editRules, type RuleEdit } from '../../shared/rules/rule-edit.ts';
import { applyTransaction, type ChainChanges, emptyRuleset, type Ruleset } from '../../shared/rules/ruleset.ts';
import { type BuiltInChain, type Chain, TABLE_NAMES, type TableName } from '../../shared/rules/table.ts';
import type { RulesReply, RulesTransaction } from '../../shared/rules/transaction.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import type { Packet } from '../../shared/wire/packet-memory.ts';
import { BpfTable } from './bpf/bpf-table.ts';
import { CompiledChain, CompiledRule, type MatchContext, policyVerdict } from './compiled-chain.ts';
import type { IpSet } from './ipvs/ip-set.ts';
import { IpvsTable } from './ipvs/ipvs-table.ts';
import { OwnedSets } from './ipvs/owned-sets.ts';
import { NFT_TABLE, NftTable } from './nft/nft-table.ts';
import { PacketFacts } from './packet-facts.ts';
import { packetLogLine } from './packet-log-line.ts';

/** Jumps inside jumps; the loader refuses circles, so that only a ladder of chains this long would be cut short. */
const MAX_DEPTH = 64;
/** Who has virtual servers and a table of nftables. */
const SERVICE_OWNER = 'kube-proxy';

/** Told of every rule that a packet matches (traces, and tests that explain their failure). */
export type RuleObserver = (packet: Packet, table: string, chain: string, rule: string) => void;

/** Through which ports of a bridge its frame comes and goes; set by the bridge for as long as the frame is in the hooks. */
export class BridgePorts {
  physIn: NetDevice | null = null;
  physOut: NetDevice | null = null;
}

export class RuleTables {
  /** What packets see now. */
  ruleset: Ruleset;
  /** IPVS' virtual servers; null while nobody made one. */
  ipvs: IpvsTable | null = null;
  /** Of owners other than kube-proxy. */
  private readonly ownedSets = new OwnedSets();
  /** The load balancer maps; null while nobody made them. */
  bpf: BpfTable | null = null;
  /** nftables' table of kube-proxy; null while nobody made it. */
  nft: NftTable | null = null;
  private ruleObserver: RuleObserver | null = null;
  private readonly family: IpFamily;
  private readonly ports: BridgePorts;
  private readonly context: MatchContext;
  private readonly view: DataView;
  private readonly facts = new PacketFacts();
  private readonly chains: Record<TableName, Map<string, CompiledChain>>;
  private readonly returnChains: CompiledChain[] = new Array(MAX_DEPTH);
  private readonly returnIndexes = new Int32Array(MAX_DEPTH);

  constructor(family: IpFamily, bootId: string, view: DataView, context: MatchContext, ports = new BridgePorts()) {
    this.family = family;
    this.ports = ports;
    this.view = view;
    this.context = { ...context, ipSet: (name) => this.ipvs?.sets.get(name) ?? this.ownedSets.find(name) };
    this.ruleset = emptyRuleset(bootId);
    this.chains = { mangle: new Map(), nat: new Map(), filter: new Map() };
    for (const table of TABLE_NAMES) {
      this.compileTable(table, { changed: [...this.ruleset.tables[table].chains.keys()], gone: [] });
    }
  }

  /** Between two packets: all of it or nothing. */
  apply(transaction: RulesTransaction): RulesReply {
    const before = this.ruleset;
    const { ruleset, reply, changes } = applyTransaction(before, transaction);
    if (ruleset === before) return reply;
    const nft = this.nftFor(transaction);
    const problems = transaction.nft === undefined ? [] : (nft?.check(transaction.nft) ?? []);
    if (problems.length > 0) return { kind: 'invalid', bootId: reply.bootId, problems };
    this.ruleset = ruleset;
    this.nft = nft;
    if (transaction.nft !== undefined) nft?.apply(transaction.nft);
    this.applyIpvs(transaction);
    this.applyBpf(transaction);
    for (const table of TABLE_NAMES) this.compileTable(table, changes[table]);
    return reply;
  }

  /** An administrator's change, past the owners; counters of the rules that stay go on. */
  edit(table: TableName, edit: RuleEdit): EditRefusal | null {
    const edited = editRules(this.ruleset, table, edit);
    if ('refusal' in edited) return edited.refusal;
    this.ruleset = edited.ruleset;
    this.compileTable(table, edited.changes);
    return null;
  }

  /** Of all chains of a table, or of one. */
  zeroCounters(table: TableName, only?: string): void {
    for (const chain of this.chains[table].values()) {
      if (only !== undefined && chain.name !== only) continue;
      chain.policyPackets = 0;
      chain.policyBytes = 0;
      for (const rule of chain.rules) {
        rule.packets = 0;
        rule.bytes = 0;
      }
    }
  }

  set observer(observer: RuleObserver | null) {
    this.ruleObserver = observer;
    if (this.nft !== null) this.nft.observer = this.nftObserver();
  }

  /** A rule's counters (index -1: the policy's), for `iptables-save -c`. */
  counters(table: TableName, chain: string, index: number): RuleCounter {
    const compiled = this.chains[table].get(chain);
    if (compiled === undefined) return { packets: 0, bytes: 0 };
    if (index < 0) return { packets: compiled.policyPackets, bytes: compiled.policyBytes };
    const rule = compiled.rules[index];
    return { packets: rule?.packets ?? 0, bytes: rule?.bytes ?? 0 };
  }

  /** ipsets of all owners, by name. */
  ipSets(): ReadonlyMap<string, IpSet> {
    return new Map([...(this.ipvs?.sets ?? []), ...this.ownedSets.list()]);
  }

  /** The addresses that rules and tables name, and the clients that tables remember. */
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
    this.ipvs?.visitAddresses(visit);
    this.ownedSets.visitAddresses(visit);
    this.nft?.visitAddresses(visit);
    this.bpf?.visitAddresses(visit);
  }

  /** A built-in chain's compiled form, which lasts as long as the tables. */
  builtIn(table: TableName, chain: BuiltInChain): CompiledChain {
    const compiled = this.chains[table].get(chain);
    if (compiled === undefined) throw new Error(`table ${table} has no built-in chain ${chain}`);
    return compiled;
  }

  /** Walks a packet through a built-in chain: the rule whose target decided; null when the policy did. */
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
      if (this.ruleObserver !== null) {
        this.ruleObserver(facts.packet, table, chain.name, formatRule(chain.name, rule.rule));
      }
      const { target } = rule;
      if (target === null) continue;
      switch (target.kind) {
        case 'mark':
          facts.packet.mark = ((facts.packet.mark & ~target.mask) ^ target.value) >>> 0;
          break;
        case 'connmark': {
          const connection = facts.flow?.connection;
          if (connection !== undefined) connection.mark = ((connection.mark & ~target.mask) ^ target.value) >>> 0;
          break;
        }
        case 'restore-mark': {
          const bits = (facts.flow?.connection.mark ?? 0) & target.mask;
          facts.packet.mark = ((facts.packet.mark & ~target.mask) | bits) >>> 0;
          break;
        }
        case 'log':
          this.context.log?.(packetLogLine(this.view, facts.packet, target.prefix, facts.inDevice, facts.outDevice));
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

  /** The table that the transaction changes: a new one where everything is replaced; null when there is none. */
  private nftFor({ owner, base, nft }: RulesTransaction): NftTable | null {
    if (owner !== SERVICE_OWNER || (nft === undefined && base !== null)) return this.nft;
    if (nft === undefined) return null;
    if (base !== null && this.nft !== null) return this.nft;
    const made = new NftTable(NFT_FAMILIES[this.family], this.view, this.context);
    made.observer = this.nftObserver();
    return made;
  }

  private applyIpvs({ owner, base, ipvs }: RulesTransaction): void {
    if (owner !== SERVICE_OWNER) {
      if (base === null) this.ownedSets.forget(owner);
      this.ownedSets.apply(owner, ipvs?.ipSets ?? {});
      return;
    }
    if (base === null) this.ipvs = null;
    if (ipvs === undefined) return;
    this.ipvs ??= new IpvsTable();
    this.ipvs.apply(ipvs);
  }

  private applyBpf({ owner, base, bpf }: RulesTransaction): void {
    if (owner !== SERVICE_OWNER) return;
    if (base === null) this.bpf = null;
    if (bpf === undefined) return;
    this.bpf ??= new BpfTable(this.context);
    this.bpf.apply(bpf);
  }

  private nftObserver(): NftTable['observer'] {
    const observer = this.ruleObserver;
    return observer === null ? null : (packet, chain, rule) => observer(packet, `nft ${NFT_TABLE}`, chain, rule);
  }

  /** Compiles the chains that changed, which may lead to each other. */
  private compileTable(name: TableName, { changed, gone }: ChainChanges): void {
    const present = this.chains[name];
    const { chains } = this.ruleset.tables[name];
    for (const chain of changed) if (!present.has(chain)) present.set(chain, new CompiledChain(chain));
    for (const chain of changed) this.compileChain(name, chains.get(chain)!);
    for (const chain of gone) present.delete(chain);
  }

  private compileChain(table: TableName, chain: Chain): void {
    const compiled = this.chains[table].get(chain.name)!;
    compiled.policy = chain.policy === undefined ? null : policyVerdict(`${table} ${chain.name}`);
    const counted = new Map(compiled.rules.map((old) => [old.rule, old]));
    compiled.rules = chain.rules.map((rule, index) => {
      const { target } = rule;
      const called = target?.kind === 'jump' || target?.kind === 'goto' ? target.chain : undefined;
      const next = called === undefined ? null : this.chains[table].get(called)!;
      const made = new CompiledRule(
        compiled,
        index,
        rule,
        next,
        this.context,
        `${table} ${chain.name} rule ${index + 1}`,
      );
      made.packets = counted.get(rule)?.packets ?? 0;
      made.bytes = counted.get(rule)?.bytes ?? 0;
      return made;
    });
  }
}
