/**
 * The node's five hooks: connection tracking, the tables of rules, policy and address translation, in netfilter's order.
 *
 *   PREROUTING   track  mangle  nft  nat(destination)
 *   INPUT               mangle  nft  filter  IPVS, which sends on to POSTROUTING  policy  nat(source)  confirm
 *   FORWARD             mangle  nft  filter  policy
 *   OUTPUT       track  mangle  nft  nat(destination)  IPVS  nft  filter
 *   POSTROUTING         mangle  nat(source)  confirm
 *
 * The nat tables (iptables', then nftables') are asked once for a connection, on its first packet; from then on conntrack
 * alone translates. IPVS translates by conntrack too, in the hooks it hangs in.
 */
import type { NetDevice } from '../../shared/netstack/device.ts';
import { type FlowRoute, type NetfilterHooks, REDIRECTED, type Verdict } from '../../shared/netstack/hooks.ts';
import type { BuiltInChain, TableName } from '../../shared/rules/table.ts';
import type { MasqueradeTarget } from '../../shared/rules/target.ts';
import * as ip from '../../shared/wire/ip.ts';
import type { Packet, PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { CompiledChain } from './compiled-chain.ts';
import { type Conntrack, flowOf } from './conntrack.ts';
import type { Connection } from './flow.ts';
import { scheduleConnection } from './ipvs/ipvs-hook.ts';
import { bindDestination, bindSource, isTranslated, type NatSide, translate } from './nat.ts';
import type { HookStage } from './nft/nft-table.ts';
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
  readonly isLocalAddress: (address: number) => boolean;
  /** Of a pod that is plugged in here. */
  readonly isOwnPod: (address: number) => boolean;
  readonly nowUs: () => number;
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
  /** Packets that were on their way through the node: between pods, to and from the outside. */
  forwarded = 0;
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
      this.nft(chains, 'prerouting before', packet, inDevice, null) ??
      this.destinationNat('PREROUTING', packet, inDevice, null)
    );
  }

  input(packet: Packet, inDevice: NetDevice): Verdict {
    const chains = this.chainsFor(packet);
    this.observer?.passed('INPUT', packet, inDevice, null);
    const refused =
      verdictOf(chains, 'mangle', chains.mangle.INPUT, packet, inDevice, null) ??
      this.nft(chains, 'input before', packet, inDevice, null) ??
      verdictOf(chains, 'filter', chains.filter.INPUT, packet, inDevice, null) ??
      this.ipvs(chains, 'INPUT', packet) ??
      this.policy?.judge(packet, flowOf(packet), inDevice, null) ??
      (this.leads(packet) ? REDIRECTED : this.sourceNat('INPUT', packet, inDevice, null));
    if (refused === null) this.conntrack.confirm(packet);
    return refused;
  }

  forward(packet: Packet, inDevice: NetDevice, outDevice: NetDevice): Verdict {
    const chains = this.chainsFor(packet);
    this.forwarded++;
    this.observer?.passed('FORWARD', packet, inDevice, outDevice);
    return (
      verdictOf(chains, 'mangle', chains.mangle.FORWARD, packet, inDevice, outDevice) ??
      this.nft(chains, 'forward before', packet, inDevice, outDevice) ??
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
      this.nft(chains, 'output before', packet, null, null) ??
      this.destinationNat('OUTPUT', packet, null, null) ??
      this.ipvs(chains, 'OUTPUT', packet) ??
      this.nft(chains, 'output after', packet, null, null) ??
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

  flowRoute(packet: Packet): FlowRoute | null {
    return flowOf(packet);
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
    if (packet.isSettled) return null;
    const flow = flowOf(packet);
    if (flow === null) return null;
    const { connection } = flow;
    if (!connection.destinationDecided && flow.relatedTo === null) {
      connection.destinationDecided = true;
      const refused = this.decideDestination(chain, packet, connection, inDevice, outDevice);
      if (refused !== null) return refused;
    }
    // What IPVS chose it translates in its own hooks.
    if (connection.backend !== null && !flow.isReply) return null;
    if (isTranslated(flow, 'destination')) this.rewrite(chain, packet, 'destination');
    return null;
  }

  private decideDestination(
    chain: 'PREROUTING' | 'OUTPUT',
    packet: Packet,
    connection: Connection,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): Verdict {
    const { nat, tables } = this.chainsFor(packet);
    if (tables.bpf !== null) {
      const refused = tables.bpf.translate(connection, inDevice?.kind === 'ethernet');
      if (refused !== null || connection.destinationNat) return refused;
    }
    const rule = tables.evaluate('nat', nat[chain], packet, inDevice, outDevice);
    if (rule?.verdict != null) return rule.verdict;
    if (rule?.target?.kind === 'dnat') bindDestination(connection, rule.target.address, rule.target.port ?? 0);
    else if (tables.nft !== null) {
      const stage = chain === 'OUTPUT' ? 'output nat' : 'prerouting nat';
      const { verdict, translation } = tables.nft.walk(stage, packet, inDevice, outDevice);
      if (verdict !== null) return verdict;
      if (translation?.kind === 'dnat') bindDestination(connection, translation.address, translation.port);
    }
    return null;
  }

  /** Chooses a real server for a first packet to a virtual one, and leads it and those that follow there. */
  private ipvs({ tables }: FamilyChains, hook: 'INPUT' | 'OUTPUT', packet: Packet): Verdict {
    if (packet.isSettled) return null;
    const { ipvs } = tables;
    const flow = flowOf(packet);
    if (flow === null || flow.isReply || flow.relatedTo !== null) return null;
    const { connection } = flow;
    if (connection.backend === null) {
      if (ipvs === null || connection.confirmed) return null;
      const refused = scheduleConnection(ipvs, connection, this.options.nowUs());
      if (refused !== null) return refused;
    }
    if (connection.backend !== null && connection.destinationNat) this.rewrite(hook, packet, 'destination');
    return null;
  }

  /** Whether IPVS led a packet that came in here to another host. */
  private leads(packet: Packet): boolean {
    if (packet.isSettled) return false;
    const flow = flowOf(packet);
    if (flow === null || flow.isReply || flow.connection.backend === null) return false;
    return !this.options.isLocalAddress(ip.destination(this.memory.view, packet.networkOffset));
  }

  private sourceNat(
    chain: 'INPUT' | 'POSTROUTING',
    packet: Packet,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): Verdict {
    if (packet.isSettled) return null;
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
    const target =
      rule?.target ??
      bpfSource(connection, this.options.isOwnPod) ??
      this.nftSource(chain, packet, inDevice, outDevice);
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

  /** nftables' word on the source, as the target that iptables would have. */
  private nftSource(
    chain: 'INPUT' | 'POSTROUTING',
    packet: Packet,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): MasqueradeTarget | undefined {
    const { nft } = this.chainsFor(packet).tables;
    const stage = chain === 'INPUT' ? 'input nat' : 'postrouting nat';
    const translation = nft?.walk(stage, packet, inDevice, outDevice).translation;
    return translation?.kind === 'masquerade' ? { kind: 'masquerade', randomFully: true } : undefined;
  }

  private nft(
    { tables }: FamilyChains,
    stage: HookStage,
    packet: Packet,
    inDevice: NetDevice | null,
    outDevice: NetDevice | null,
  ): Verdict {
    const { nft } = tables;
    return nft === null ? null : nft.walk(stage, packet, inDevice, outDevice).verdict;
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

function bpfSource(
  { masquerade, reply }: Connection,
  isOwnPod: (address: number) => boolean,
): MasqueradeTarget | undefined {
  const wanted = masquerade === 'always' || (masquerade === 'beyond-node' && !isOwnPod(reply.source >>> 0));
  return wanted ? { kind: 'masquerade' } : undefined;
}

function verdictOf(
  { tables }: FamilyChains,
  table: TableName,
  chain: CompiledChain,
  packet: Packet,
  inDevice: NetDevice | null,
  outDevice: NetDevice | null,
): Verdict {
  if (chain.rules.length === 0 && chain.policy === null) return null;
  const rule = tables.evaluate(table, chain, packet, inDevice, outDevice);
  return rule === null ? chain.policy : rule.verdict;
}
