/**
 * `FabricNetwork` on a node with several interfaces, as the Amazon VPC CNI has them: each owns some of the pods' addresses, and
 * what those pods send within the VPC leaves by their own.
 *
 *   rule 512:  to a pod          -> main: its cable
 *   rule 1024: mark 0x80/0x80    -> main: eth0, for what the node answers for (its own address, SNAT)
 *   rule 1536: from a pod of eth1 -> table 2: eth1
 *
 * https://github.com/aws/amazon-vpc-cni-k8s/blob/master/docs/cni-proposal.md
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { Fib } from '../../../shared/netstack/route.ts';
import { MAIN_TABLE, RoutingPolicy, type RoutingRule } from '../../../shared/netstack/routing-policy.ts';
import { hostPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import { furtherMacOf } from '../device-identity.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import { SecondaryCard } from '../secondary-card.ts';
import { FabricNetwork, type FabricOptions } from './fabric-network.ts';
import type { NetworkParts } from './node-network.ts';

export const TO_POD_PRIORITY = 512;
export const MARK_PRIORITY = 1024;
export const FROM_POD_PRIORITY = 1536;
/** Connections that stay with eth0. */
export const PRIMARY_MARK = 0x80;

export interface ElasticOptions extends FabricOptions {
  /** Of a pod's address: the number of its interface; 0 is eth0. */
  readonly interfaceOf: (address: number) => number;
}

export class ElasticNetwork extends FabricNetwork {
  private readonly interfaceOf: (address: number) => number;
  private readonly policy: RoutingPolicy;
  private readonly cards = new Map<number, SecondaryCard>();
  private observer: FrameObserver | null = null;

  constructor(parts: NetworkParts, options: ElasticOptions) {
    super(parts, options);
    this.interfaceOf = options.interfaceOf;
    this.policy = new RoutingPolicy(parts.root.routes);
    const mark = { value: PRIMARY_MARK, mask: PRIMARY_MARK };
    this.policy.add({ priority: MARK_PRIORITY, mark, table: MAIN_TABLE });
    parts.root.routingPolicy = this.policy;
  }

  override get devices(): readonly NetDevice[] {
    return [...this.cards.values()];
  }

  /** `number` is 1 for eth1; `primary` is the interface's own address. */
  attachInterface(number: number, primary: number): void {
    const { memory, underlay, drops, root, eth0, internalIp, clusterCidr, nextIndex } = this.parts;
    const card = new SecondaryCard(
      {
        memory,
        underlay,
        drops,
        name: `eth${number}`,
        index: nextIndex(),
        macAddress: furtherMacOf(internalIp, number),
        mtuBytes: eth0.mtuBytes,
      },
      eth0,
      (address) => address === primary || (this.isInBlock(address) && this.interfaceOf(address) === number),
    );
    card.observer = this.observer;
    this.cards.set(number, card);
    eth0.addCard(card);
    root.addDevice(card).proxyArp = true;
    root.addAddress(card, primary, clusterCidr.prefixLength);
    // The kernel's route of that address goes; the pods' block is behind eth0 for who has no table of its own.
    root.routes.replace(this.blockRoute());
    this.addTable(this.policy.createTable(number + 1), card);
    this.policy.changed();
  }

  detachInterface(number: number): void {
    const card = this.cards.get(number);
    if (card === undefined) return;
    this.cards.delete(number);
    this.parts.eth0.removeCard(card);
    this.parts.root.removeDevice(card);
    this.policy.removeTable(number + 1);
  }

  override attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const number = this.interfaceOf(pod.address);
    const prefix = hostPrefix(pod.address);
    const rules: RoutingRule[] = [{ priority: TO_POD_PRIORITY, to: prefix, table: MAIN_TABLE }];
    if (number > 0) rules.push({ priority: FROM_POD_PRIORITY, from: prefix, table: number + 1 });
    const attachment = super.attach(pod, () => {
      for (const rule of rules) this.policy.remove(rule);
      detached();
    });
    for (const rule of rules) this.policy.add(rule);
    return attachment;
  }

  override observe(observer: FrameObserver | null): void {
    this.observer = observer;
    for (const card of this.cards.values()) card.observer = observer;
  }

  private isInBlock(address: number): boolean {
    const block = this.podCidr;
    return block !== null && networkOf(address, block.prefixLength) === block.address;
  }

  /** The router delivers within the VPC there; here whoever has an address answers for it. */
  private addTable(table: Fib, device: NetDevice): void {
    const { internalIp, internalPrefixLength, clusterCidr } = this.parts;
    const gateway = networkOf(internalIp, internalPrefixLength) + 1;
    const link = { device, scope: 'link' } as const;
    table.add({ ...link, destination: gateway, prefixLength: 32 });
    table.add({ destination: 0, prefixLength: 0, gateway, device });
    table.add({ ...link, destination: clusterCidr.address, prefixLength: clusterCidr.prefixLength });
    table.add({ ...link, destination: internalIp, prefixLength: internalPrefixLength });
  }
}
