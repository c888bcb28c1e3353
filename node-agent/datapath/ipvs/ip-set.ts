/** An ipset: whether a packet's addresses and ports are in it, by one look-up. */
import type { IpSetChange, IpSetEntry, IpSetType } from '../../../shared/rules/ipvs.ts';
import { protocolNumber, serviceKey } from '../../../shared/rules/service-key.ts';
import { type IpPrefix, isInNetwork } from '../../../shared/wire/ip-address.ts';
import type { PacketFacts } from '../packet-facts.ts';

export class IpSet {
  readonly type: IpSetType;
  private readonly entries = new Map<number, IpSetEntry[]>();
  /** Of `hash:net`, longest prefix first; made when it is first asked for. */
  private networks: readonly IpSetEntry[] | undefined;

  constructor(type: IpSetType) {
    this.type = type;
  }

  change({ add = [], remove = [] }: IpSetChange): void {
    this.networks = undefined;
    for (const entry of remove) {
      const key = keyOf(entry);
      const left = (this.entries.get(key) ?? []).filter(({ source }) => !samePrefix(source, entry.source));
      if (left.length === 0) this.entries.delete(key);
      else this.entries.set(key, left);
    }
    for (const entry of add) {
      const key = keyOf(entry);
      const present = this.entries.get(key) ?? [];
      if (!present.some(({ source }) => samePrefix(source, entry.source))) this.entries.set(key, [...present, entry]);
    }
  }

  /** `sides` says for each part of the type whether it is the source's or the destination's. */
  has(facts: PacketFacts, sides: readonly ('src' | 'dst')[]): boolean {
    if (this.type === 'hash:net')
      return this.hasNetworkOf((sides[0] === 'src' ? facts.source : facts.destination) >>> 0);
    const found = this.entries.get(this.packetKey(facts, sides[0] === 'src'));
    if (found === undefined) return false;
    if (sides.length < 3) return true;
    const address = (sides[2] === 'src' ? facts.source : facts.destination) >>> 0;
    return found.some(
      ({ source }) => source !== undefined && isInNetwork(address, source.address, source.prefixLength),
    );
  }

  list(): IpSetEntry[] {
    return [...this.entries.values()].flat();
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { address, source } of this.list()) {
      if (address !== undefined) visit(address);
      if (source !== undefined) visit(source.address);
    }
  }

  /** The longest prefix counts. */
  private hasNetworkOf(address: number): boolean {
    this.networks ??= this.list().sort((a, b) => (b.source?.prefixLength ?? 0) - (a.source?.prefixLength ?? 0));
    const found = this.networks.find(
      ({ source }) => source !== undefined && isInNetwork(address, source.address, source.prefixLength),
    );
    return found !== undefined && found.nomatch !== true;
  }

  private packetKey(facts: PacketFacts, fromSource: boolean): number {
    const address = (fromSource ? facts.source : facts.destination) >>> 0;
    const port = fromSource ? facts.sourcePort : facts.destinationPort;
    if (this.type === 'hash:ip') return address;
    return this.type === 'bitmap:port' ? port : serviceKey(address, facts.protocol, port);
  }
}

function keyOf({ address = 0, protocol, port = 0 }: IpSetEntry): number {
  if (protocol !== undefined) return serviceKey(address, protocolNumber(protocol), port);
  return port === 0 ? address : port;
}

function samePrefix(a: IpPrefix | undefined, b: IpPrefix | undefined): boolean {
  return a?.address === b?.address && a?.prefixLength === b?.prefixLength;
}
