/**
 * Pods on the cloud's own network: no overlay and no routes for other nodes. The network delivers an address to the node that
 * has it, as it would to a second address of the node's interface.
 *
 *   pod eth0 10.244.1.5/32 ~ eni... -- route 10.244.1.5 dev eni... -- 10.244.0.0/16 dev eth0: ARP, which the pod's node answers
 *
 * IPv4 alone.
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import type { RouteSpec } from '../../../shared/netstack/route.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { type IpPrefix, networkOf } from '../../../shared/wire/ip-address.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { PodAttachment, PodAttachOptions } from '../pod-attachment.ts';
import type { TunnelDevice } from '../tunnel-device.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { cableName, plugPod } from './pod-cable.ts';

export interface FabricOptions {
  /** `eni`: before 11 digits. */
  readonly cablePrefix: string;
  /** Of the node's end of each cable. */
  readonly hostMac: (random: () => number) => number;
  /** Of eth0 and of cables. */
  readonly mtuBytes: number;
  /** What leaves the network gets the node's address. */
  readonly rules: (parts: NetworkParts) => RulesTransaction;
}

/** Every pod's only neighbour, whose MAC it is told (no ARP). */
const POD_GATEWAY = 0xa9fe_0101;
const DIGITS = 11;

export class FabricNetwork implements NodeNetwork {
  readonly tunnels: readonly TunnelDevice[] = [];
  readonly bridge = null;
  readonly podCidrIpv6 = null;
  protected readonly parts: NetworkParts;
  private readonly options: FabricOptions;
  private cidr: IpPrefix | null = null;

  constructor(parts: NetworkParts, options: FabricOptions) {
    const { root, eth0, rules } = parts;
    this.parts = parts;
    this.options = options;
    eth0.mtuBytes = options.mtuBytes;
    // The node answers for its pods' addresses, as the cloud does for those that it gave to the interface.
    root.addDevice(eth0).proxyArp = true;
    root.routes.add(this.blockRoute());
    const reply = rules.apply(options.rules(parts));
    if (reply.kind !== 'applied') throw new Error(`the network's rules were refused: ${JSON.stringify(reply)}`);
  }

  get devices(): readonly NetDevice[] {
    return [];
  }

  /** To the pods of all nodes. */
  protected blockRoute(): RouteSpec {
    const { eth0, clusterCidr, internalIp: source } = this.parts;
    const { address: destination, prefixLength } = clusterCidr;
    return { destination, prefixLength, device: eth0, protocol: 'kernel', scope: 'link', source };
  }

  get podCidr(): IpPrefix | null {
    return this.cidr;
  }

  setPodCidr(podCidr: IpPrefix): void {
    this.cidr ??= { ...podCidr, address: networkOf(podCidr.address, podCidr.prefixLength) };
  }

  /** Pods have IPv4 alone. */
  setPodCidrIpv6(): void {
    throw new Error(`${this.parts.nodeName}: this network has no IPv6`);
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { root, engine } = this.parts;
    const { cablePrefix, hostMac, mtuBytes } = this.options;
    const mac = hostMac(engine.random);
    const hostDeviceName = cableName(cablePrefix, DIGITS, engine.random);
    const cable = { hostDeviceName, hostMac: mac, mtuBytes, gateway: POD_GATEWAY };
    const attachment = plugPod(this.parts, pod, cable, detached);
    const { host, podDevice, hostDevice: device } = attachment;
    host.neighbours.setPermanent(podDevice, POD_GATEWAY, mac);
    root.routes.replace({ destination: pod.address, prefixLength: 32, device, scope: 'link' });
    return attachment;
  }

  peerAdded(): void {
    // Where a pod's address is, the network knows.
  }

  peerRemoved(): void {
    // The same.
  }

  observe(_observer: FrameObserver | null): void {
    // It has no devices of its own.
  }
}
