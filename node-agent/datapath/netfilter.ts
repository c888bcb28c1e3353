/**
 * The node's five hooks: connection tracking, the tables of rules, policy and address translation, in netfilter's order.
 *
 *   PREROUTING   track  mangle  nat(destination)
 *   INPUT               mangle  filter  policy      nat(source)  confirm
 *   FORWARD             mangle  filter  policy
 *   OUTPUT       track  mangle  nat(destination)  filter
 *   POSTROUTING         mangle  nat(source)  confirm
 *
 * The nat table is asked once for a connection, on its first packet; from then on conntrack alone translates.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import type { NetfilterHooks, Verdict } from '../../shared/netstack/hooks.ts';
import type { BuiltInChain, TableName } from '../../shared/rules/table.ts';
import * as ip from '../../shared/wire/ip.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { CompiledChain } from './compiled-chain.ts';
import { type Conntrack, flowOf } from './conntrack.ts';
import type { Connection } from './flow.ts';
import { bindDestination, bindSource, isTranslated, type NatSide, translate } from './nat.ts';
import type { PacketPolicy } from './packet-policy.ts';
import type { RuleFamilies } from './rule-families.ts';
import type { RuleTables } from './rule-tables.ts';

export interface NetfilterOptions {
  readonly memory: PacketMemory;
  readonly conntrack: Conntrack;
  readonly rules: RuleFamilies;
  readonly random: () => number;
  /** The address MASQUERADE takes for packets to `destination` through `device`; 0 when the device has none. */
  readonly sourceFor: (device: NetDevice, destination: number) => number;
  readonly policy?: PacketPolicy;
}

type BuiltIns<Name extends BuiltInChain> = Readonly<Record<Name, CompiledChain>>;

function builtIns<Name extends BuiltInChain>(
  tables: RuleTables,
  table: TableName,
  names: readonly Name[],
): BuiltIns<Name> {
  const entries = names.map((name) => [name, tables.builtIn(table, name)] as const);
  return Object.fromEntries(entries) as BuiltIns<Name>; // one entry for each of the names
}

/** The tables for packets of one version, and their built-in chains. */
interface FamilyChains {
  readonly tables: RuleTables;
  readonly mangle: BuiltIns<'PREROUTING' | 'INPUT' | 'FORWARD' | 'OUTPUT' | 'POSTROUTING'>;
  readonly nat: BuiltIns<'PREROUTING' | 'INPUT' | 'OUTPUT' | 'POSTROUTING'>;
  readonly filter: BuiltIns<'INPUT' | 'FORWARD' | 'OUTPUT'>;
}

function familyChains(tables: RuleTables): FamilyChains {
  return {
    tables,
    mangle: builtIns(tables, 'mangle', ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']),
    nat: builtIns(tables, 'nat', ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING']),
    filter: builtIns(tables, 'filter', ['INPUT', 'FORWARD', 'OUTPUT']),
  };
}

/** Told of each stage that a packet passes; null while nothing is traced. */
export interface StageObserver {
  passed(stage: BuiltInChain, packet: Packet, inDevice: NetDevice | null, outDevice: NetDevice | null): void;
  translated(stage: BuiltInChain, packet: Packet, side: NatSide, address: number, port: number): void;
}

export class Netfilter implements NetfilterHooks {
  readonly conntrack: Conntrack;
  policy: PacketPolicy | null;
  observer: StageObserver | null = null;
  private readonly options: NetfilterOptions;
  private readonly memory: PacketMemory;
  private readonly ipv4: FamilyChains;
  private readonly ipv6: FamilyChains;

  constructor(options: NetfilterOptions) {
    this.options = options;
    this.memory = options.memory;
    this.conntrack = options.conntrack;
    this.policy = options.policy ?? null;
    this.ipv4 = familyChains(options.rules.ipv4);
    this.ipv6 = familyChains(options.rules.ipv6);
  }

  prerouting(packet: Packet, inDevice: NetDevice): Verdict {
    const full = this.conntrack.track(packet);
    if (full !== null) return full;
    const chains = this.chainsFor(packet);
    this.observer?.passed('PREROUTING', packet, inDevice, null);
    return (
      verdictOf(chains, 'mangle', chains.mangle.PREROUTING, packet, inDevice, null) ??
      this.destinationNat('PREROUTING', packet, inDevice, null)
    );
  }

  input(packet: Packet, inDevice: NetDevice): Verdict {
    const chains = this.chainsFor(packet);
    this.observer?.passed('INPUT', packet, inDevice, null);
    const refused =
      verdictOf(chains, 'mangle', chains.mangle.INPUT, packet, inDevice, null) ??
      verdictOf(chains, 'filter', chains.filter.INPUT, packet, inDevice, null) ??
      this.policy?.judge(packet, flowOf(packet), inDevice, null) ??
      this.sourceNat('INPUT', packet, inDevice, null);
    if (refused === null) this.conntrack.confirm(packet);
    return refused;
  }

  forward(packet: Packet, inDevice: NetDevice, outDevice: NetDevice): Verdict {
    const chains = this.chainsFor(packet);
    this.observer?.passed('FORWARD', packet, inDevice, outDevice);
    return (
      verdictOf(chains, 'mangle', chains.mangle.FORWARD, packet, inDevice, outDevice) ??
      verdictOf(chains, 'filter', chains.filter.FORWARD, packet, inDevice, outDevice) ??
      this.policy?.judge(packet, flowOf(packet), inDevice, outDevice) ??
      null
    );
  }

  output(packet: Packet): Verdict {
    const full = this.conntrack.track(packet);
    if (full !== null) return full;
    const chains = this.chainsFor(packet);
    this.observer?.passed('OUTPUT', packet, null, null);
    return (
      verdictOf(chains, 'mangle', chains.mangle.OUTPUT, packet, null, null) ??
      this.destinationNat('OUTPUT', packet, null, null) ??
      verdictOf(chains, 'filter', chains.filter.OUTPUT, packet, null, null)
    );
  }

  postrouting(packet: Packet, outDevice: NetDevice): Verdict {
    const chains = this.chainsFor(packet);
    this.observer?.passed('POSTROUTING', packet, null, outDevice);
    const refused =
      verdictOf(chains, 'mangle', chains.mangle.POSTROUTING, packet, null, outDevice) ??
      this.sourceNat('POSTROUTING', packet, null, outDevice);
    if (refused === null) this.conntrack.confirm(packet);
    return refused;
  }

  private chainsFor(packet: Packet): FamilyChains {
    return ip.isIpv6(this.memory.view, packet.networkOffset) ? this.ipv6 : this.ipv4;
  }

  private destinationNat(
    chain: 'PREROUTING' | 'OUTPUT',
    packet: Packet,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): Verdict {
    const flow = flowOf(packet);
    if (flow === null) return null;
    const { connection } = flow;
    if (!connection.destinationDecided && flow.relatedTo === null) {
      connection.destinationDecided = true;
      const { nat, tables } = this.chainsFor(packet);
      const rule = tables.evaluate('nat', nat[chain], packet, inDevice, outDevice);
      if (rule?.verdict != null) return rule.verdict;
      if (rule?.target?.kind === 'dnat') bindDestination(connection, rule.target.address, rule.target.port ?? 0);
    }
    if (isTranslated(flow, 'destination')) this.rewrite(chain, packet, 'destination');
    return null;
  }

  private sourceNat(
    chain: 'INPUT' | 'POSTROUTING',
    packet: Packet,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): Verdict {
    const flow = flowOf(packet);
    if (flow === null) return null;
    const { connection } = flow;
    if (!connection.sourceDecided && flow.relatedTo === null) {
      connection.sourceDecided = true;
      const refused = this.decideSource(chain, packet, connection, inDevice, outDevice);
      if (refused !== null) return refused;
    }
    if (isTranslated(flow, 'source')) this.rewrite(chain, packet, 'source');
    return null;
  }

  private decideSource(
    chain: 'INPUT' | 'POSTROUTING',
    packet: Packet,
    connection: Connection,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): Verdict {
    const { nat, tables } = this.chainsFor(packet);
    const rule = tables.evaluate('nat', nat[chain], packet, inDevice, outDevice);
    if (rule?.verdict != null) return rule.verdict;
    let address = connection.original.source >>> 0;
    let randomly = false;
    const target = rule?.target;
    if (target?.kind === 'snat') {
      address = target.address;
      randomly = target.randomFully ?? false;
    } else if (target?.kind === 'masquerade' && outDevice !== null) {
      const destination = ip.destination(this.memory.view, packet.networkOffset);
      address = this.options.sourceFor(outDevice, destination) || address;
      randomly = target.randomFully ?? false;
    }
    return bindSource(this.conntrack, connection, address, randomly, this.options.random);
  }

  private rewrite(chain: BuiltInChain, packet: Packet, side: NatSide): void {
    const flow = flowOf(packet)!;
    if (this.observer === null) {
      translate(this.memory, packet, flow, side);
      return;
    }
    const { view } = this.memory;
    const address = side === 'source' ? ip.source : ip.destination;
    const before = address(view, packet.networkOffset);
    const port = view.getUint16(packet.transportOffset + (side === 'source' ? 0 : 2));
    translate(this.memory, packet, flow, side);
    this.observer.translated(chain, packet, side, before, port);
  }
}

function verdictOf(
  { tables }: FamilyChains,
  table: TableName,
  chain: CompiledChain,
  packet: Packet,
  inDevice: NetDevice | null,
  outDevice: NetDevice | null,
): Verdict {
  if (chain.rules.length === 0) return null;
  return tables.evaluate(table, chain, packet, inDevice, outDevice)?.verdict ?? null;
}
