/** A set or a verdict map of nftables: found in one look-up, by a key in one number. */
import type { NftElement, NftSet, NftSide } from '../../../shared/rules/nft.ts';
import type { ListedElement } from '../../../shared/rules/nft-text.ts';
import { protocolNumber, serviceKey } from '../../../shared/rules/service-key.ts';
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import type { PacketFacts } from '../packet-facts.ts';

/** nft's `size 65535` of a set that packets add to. */
const MAX_DYNAMIC_ELEMENTS = 65_535;
const SECOND_US = 1_000_000;

export class NftElements {
  readonly set: NftSet;
  private readonly elements = new Map<number, NftElement>();
  /** When an element that a packet added ends, by address; who was seen last stands last. */
  private readonly seenUntilUs = new Map<number, number>();

  constructor(set: NftSet) {
    this.set = set;
  }

  add(element: NftElement): void {
    this.elements.set(this.keyOf(element), element);
  }

  remove(element: NftElement): void {
    this.elements.delete(this.keyOf(element));
  }

  get(key: number): NftElement | undefined {
    return this.elements.get(key);
  }

  has(address: number, nowUs: number): boolean {
    return this.elements.has(address >>> 0) || (this.seenUntilUs.get(address >>> 0) ?? 0) > nowUs;
  }

  /** `update @set { ip saddr }`. */
  note(address: number, nowUs: number): void {
    const seen = this.seenUntilUs;
    seen.delete(address >>> 0);
    for (const [oldest, untilUs] of seen) {
      if (untilUs > nowUs && seen.size < MAX_DYNAMIC_ELEMENTS) break;
      seen.delete(oldest);
    }
    seen.set(address >>> 0, nowUs + (this.set.timeoutSeconds ?? 0) * SECOND_US);
  }

  list(nowUs: number): ListedElement[] {
    const noted = [...this.seenUntilUs].filter(([, untilUs]) => untilUs > nowUs);
    return [
      ...this.elements.values(),
      ...noted.map(([address, untilUs]) => ({ address, expiresSeconds: (untilUs - nowUs) / SECOND_US })),
    ];
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { address } of this.elements.values()) if (address !== undefined) visit(address);
    for (const address of this.seenUntilUs.keys()) visit(address);
  }

  /** An element without a protocol is an address alone. */
  private keyOf({ address = 0, protocol, port = 0 }: NftElement): number {
    return protocol === undefined ? address : serviceKey(address, protocolNumber(protocol), port);
  }
}

/** `ip daddr . meta l4proto . th dport`, without the address for node ports. */
export function packetKey(facts: PacketFacts, withAddress: boolean): number {
  return serviceKey(withAddress ? facts.destination : 0, facts.protocol, facts.destinationPort);
}

export function addressOf(facts: PacketFacts, side: NftSide): number {
  return side === 'source' ? facts.source : facts.destination;
}

/** For messages: `10.96.0.1 . tcp . 443`. */
export function elementText({ address, protocol, port }: NftElement): string {
  const parts = [address === undefined ? undefined : formatAddress(address), protocol, port];
  return parts.filter((part) => part !== undefined).join(' . ');
}
