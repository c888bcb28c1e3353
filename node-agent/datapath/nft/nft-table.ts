/**
 * nftables' table `ip kube-proxy`, or `ip6`, as packets meet it. A base chain hangs in one of the hooks; a packet that comes to a
 * verdict map goes on in the chain that the map has for its key, so that the number of Services costs it nothing.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Verdict } from '../../../shared/netstack/hooks.ts';
import {
  chainsOf,
  type NftChain,
  type NftChange,
  type NftHookName,
  type NftStatement,
  type NftVerdict,
  setsOf,
} from '../../../shared/rules/nft.ts';
import { formatNftRule, formatNftTable, type NftFamily } from '../../../shared/rules/nft-text.ts';
import type { RuleProblem } from '../../../shared/rules/transaction.ts';
import type { Packet } from '../../../shared/wire/packet-memory.ts';
import type { MatchContext } from '../compiled-chain.ts';
import { PacketFacts } from '../packet-facts.ts';
import { CompiledNftRule, dropVerdict, type NftContext } from './nft-rule.ts';
import { elementText, NftElements, packetKey } from './nft-set.ts';

export const NFT_TABLE = 'kube-proxy';

/** The kernel's NFT_JUMP_STACK_SIZE. */
const MAX_DEPTH = 16;
/** Chains that one packet passes; only rules in a circle would have it pass more. */
const MAX_CHAINS_PASSED = 64;
/** Where NAT of destinations happens: what filters before it has a lower number. */
const DESTINATION_NAT_PRIORITY = -100;

/** Of a hook: before the translation of destinations, the translation, after it. */
type NftStage = 'before' | 'nat' | 'after';

/** `output nat`: where a base chain hangs. */
export type HookStage = `${NftHookName} ${NftStage}`;

/** Told of every rule that a packet matches. */
export type NftObserver = (packet: Packet, chain: string, rule: string) => void;

interface CompiledChain {
  readonly name: string;
  source: NftChain;
  rules: readonly CompiledNftRule[];
}

const EMPTY_CHAIN: CompiledChain = { name: '', source: { rules: [] }, rules: [] };
const ACCEPT: NftVerdict = { kind: 'accept' };
const DROP: NftVerdict = { kind: 'drop' };

type Translation = Extract<NftStatement, { kind: 'dnat' | 'masquerade' }>;

/** What a base chain decided: a refusal, or a translation; neither accepts. */
export class NftDecision {
  verdict: Verdict = null;
  translation: Translation | null = null;
}

export class NftTable {
  observer: NftObserver | null = null;
  readonly family: NftFamily;
  private readonly view: DataView;
  private readonly context: NftContext;
  private readonly facts = new PacketFacts();
  private readonly decision = new NftDecision();
  private readonly sets = new Map<string, NftElements>();
  private readonly chains = new Map<string, CompiledChain>();
  private hooks: Partial<Record<HookStage, readonly CompiledChain[]>> = {};
  private readonly returnChains: CompiledChain[] = new Array(MAX_DEPTH);
  private readonly returnIndexes = new Int32Array(MAX_DEPTH);

  constructor(family: NftFamily, view: DataView, { random, nowUs, isLocalAddress }: MatchContext) {
    this.family = family;
    this.view = view;
    this.context = { random, nowUs, isLocalAddress, set: (name) => this.sets.get(name) };
  }

  /** What refers to something that would not be there. */
  check(change: NftChange): RuleProblem[] {
    const chains = after(this.chains, change.chains, change.deleteChains);
    const sets = after(this.sets, change.sets, change.deleteSets);
    const problems: RuleProblem[] = [];
    const need = (where: () => string, kind: 'chain' | 'set', name: string): void => {
      if ((kind === 'chain' ? chains : sets)(name)) return;
      problems.push({
        where: where(),
        message: `refers to ${kind} ${name}, which does not exist: make it in the same transaction`,
      });
    };
    for (const [name, { rules }] of Object.entries(change.chains ?? {})) {
      rules.forEach((rule, i) => {
        const where = (): string => `nft chain ${name} rule ${i + 1}`;
        for (const chain of chainsOf(rule)) need(where, 'chain', chain);
        for (const set of setsOf(rule)) need(where, 'set', set);
      });
    }
    for (const [name, { add = [] }] of Object.entries(change.elements ?? {})) {
      need(() => 'nft elements', 'set', name);
      for (const { verdict, ...key } of add) {
        if (verdict !== undefined && 'chain' in verdict) {
          need(() => `nft map ${name} element ${elementText(key)}`, 'chain', verdict.chain);
        }
      }
    }
    return problems;
  }

  /** Between two packets; the caller looked whether `check` finds nothing. */
  apply(change: NftChange): void {
    for (const name of change.deleteSets ?? []) this.sets.delete(name);
    for (const name of change.deleteChains ?? []) this.chains.delete(name);
    for (const [name, set] of Object.entries(change.sets ?? {})) {
      if (!this.sets.has(name)) this.sets.set(name, new NftElements(set));
    }
    for (const [name, chain] of Object.entries(change.chains ?? {})) this.setChain(name, chain);
    for (const [name, { add = [], remove = [] }] of Object.entries(change.elements ?? {})) {
      const set = this.sets.get(name);
      for (const element of remove) set?.remove(element);
      for (const element of add) set?.add(element);
    }
    if (change.chains !== undefined || change.deleteChains !== undefined) this.hang();
  }

  /** Walks a packet through the base chains of a stage; the answer is good until the next walk. */
  walk(stage: HookStage, packet: Packet, inDevice: NetDevice | null, outDevice: NetDevice | null): NftDecision {
    const { decision, facts } = this;
    decision.verdict = null;
    decision.translation = null;
    const chains = this.hooks[stage];
    if (chains === undefined) return decision;
    facts.read(this.view, packet, inDevice, outDevice);
    for (const chain of chains) {
      this.walkChain(chain);
      if (decision.verdict !== null || decision.translation !== null) break;
    }
    return decision;
  }

  /** `nft list table ip kube-proxy`, `ip6`. */
  list(): string {
    const nowUs = this.context.nowUs();
    return formatNftTable({
      family: this.family,
      name: NFT_TABLE,
      comment: 'rules for kube-proxy',
      sets: new Map([...this.sets].map(([name, one]) => [name, { set: one.set, elements: one.list(nowUs) }])),
      chains: new Map([...this.chains].map(([name, { source }]) => [name, source])),
    });
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const set of this.sets.values()) set.visitAddresses(visit);
    for (const { source } of this.chains.values()) {
      for (const { matches = [], statement } of source.rules) {
        if (statement.kind === 'dnat') visit(statement.address);
        for (const match of matches) {
          if (match.kind === 'address') for (const { address } of match.prefixes) visit(address);
        }
      }
    }
  }

  private setChain(name: string, source: NftChain): void {
    const rules = source.rules.map(
      (rule, i) => new CompiledNftRule(rule, this.context, `nft ${NFT_TABLE} ${name} rule ${i + 1}`),
    );
    const present = this.chains.get(name);
    if (present === undefined) this.chains.set(name, { name, source, rules });
    else Object.assign(present, { source, rules });
  }

  /** Base chains to their hooks, in the order of their priorities. */
  private hang(): void {
    const hooks: Partial<Record<HookStage, CompiledChain[]>> = {};
    const based = [...this.chains.values()].filter(({ source }) => source.hook !== undefined);
    based.sort((a, b) => a.source.hook!.priority - b.source.hook!.priority);
    for (const chain of based) {
      const { type, hook, priority } = chain.source.hook!;
      const stage: NftStage = type === 'nat' ? 'nat' : priority < DESTINATION_NAT_PRIORITY ? 'before' : 'after';
      const chains = hooks[`${hook} ${stage}`];
      if (chains === undefined) hooks[`${hook} ${stage}`] = [chain];
      else chains.push(chain);
    }
    this.hooks = hooks;
  }

  private walkChain(start: CompiledChain): void {
    const { facts } = this;
    let chain = start;
    let index = 0;
    let depth = 0;
    let passed = 0;
    for (;;) {
      if (index >= chain.rules.length) {
        if (depth === 0) return;
        depth--;
        chain = this.returnChains[depth]!;
        index = this.returnIndexes[depth]!;
        continue;
      }
      const rule = chain.rules[index++]!;
      if (!rule.matches(facts)) continue;
      if (this.observer !== null) this.observer(facts.packet, chain.name, formatNftRule(rule.rule, this.family));
      const verdict = this.execute(rule);
      if (verdict === null) continue;
      if (!('chain' in verdict)) {
        if (verdict.kind !== 'return') return;
        index = chain.rules.length;
        continue;
      }
      if (++passed > MAX_CHAINS_PASSED) return;
      if (verdict.kind === 'jump' && depth < MAX_DEPTH) {
        this.returnChains[depth] = chain;
        this.returnIndexes[depth] = index;
        depth++;
      }
      // A chain that was deleted while something led to it is empty from then on.
      chain = this.chains.get(verdict.chain) ?? EMPTY_CHAIN;
      index = 0;
    }
  }

  /** What the statement of a rule that matched does, and where it leads; null: to the next rule. */
  private execute({ statement, verdict }: CompiledNftRule): NftVerdict | null {
    const { facts, decision, context } = this;
    switch (statement.kind) {
      case 'vmap': {
        const element = this.sets.get(statement.map)?.get(packetKey(facts, statement.key === 'destination'));
        if (element?.verdict?.kind === 'drop') decision.verdict = dropVerdict(`nft ${NFT_TABLE} @${statement.map}`);
        return element?.verdict ?? null;
      }
      case 'numgen':
        return { kind: 'goto', chain: statement.chains[Math.floor(context.random() * statement.chains.length)]! };
      case 'mark': {
        const { mark } = facts.packet;
        facts.packet.mark = (statement.operation === '|' ? mark | statement.bits : mark ^ statement.bits) >>> 0;
        return null;
      }
      case 'update':
        this.sets.get(statement.set)?.note(facts.source, context.nowUs());
        return null;
      case 'dnat':
      case 'masquerade':
        decision.translation = statement;
        return ACCEPT;
      case 'reject':
        decision.verdict = verdict;
        return DROP;
      case 'drop':
        decision.verdict = verdict;
        return statement;
      default:
        return statement;
    }
  }
}

/** Whether a name is there once the change took effect. */
function after(
  present: ReadonlyMap<string, unknown>,
  made: Readonly<Record<string, unknown>> = {},
  deleted: readonly string[] = [],
): (name: string) => boolean {
  const gone = new Set(deleted);
  return (name) => Object.hasOwn(made, name) || (present.has(name) && !gone.has(name));
}
