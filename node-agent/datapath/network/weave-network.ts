/**
 * One Ethernet segment for all pods of the cluster: weave's network. IPv4 alone.
 *
 *   pod eth0 10.32.0.5/12 ~ vethwepl... -- weave (10.32.0.1/12) -- vethwe-bridge ~ vethwe-datapath ~ vxlan-6784 => the other nodes
 */
import type { NetDevice } from '../../../shared/netstack/device.ts';
import { createVethPair, type VethDevice } from '../../../shared/netstack/veth.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import { BridgeDevice } from '../bridge.ts';
import { randomMac } from '../device-identity.ts';
import type { FrameObserver } from '../frame-observer.ts';
import type { KnownPeer } from '../peer-table.ts';
import { attachPod, type PodAttachment, type PodAttachOptions } from '../pod-attachment.ts';
import type { TunnelDevice } from '../tunnel-device.ts';
import { WeaveOverlay } from '../weave-overlay.ts';
import type { NetworkParts, NodeNetwork } from './node-network.ts';
import { cableName } from './pod-cable.ts';

/** What the original chooses for a network of 1500: room for VXLAN, and for what an underlay may add. */
export const WEAVE_MTU_BYTES = 1376;
/** Of a kernel's VXLAN device that is bound to no other device. */
const OVERLAY_MTU_BYTES = 65_485;

export class WeaveNetwork implements NodeNetwork {
  readonly podCidrIpv6 = null;
  readonly bridge: BridgeDevice;
  private readonly parts: NetworkParts;
  private readonly overlay: WeaveOverlay;
  private readonly trunk: readonly [VethDevice, VethDevice];
  private address: number | null = null;

  /** `mac` is the bridge's, and what the other nodes know this one by. */
  constructor(parts: NetworkParts, mac: number) {
    const { engine, memory, root, rules, underlay, drops } = parts;
    this.parts = parts;
    const mtuBytes = WEAVE_MTU_BYTES;
    this.bridge = new BridgeDevice({
      engine,
      memory,
      host: root,
      rulePorts: rules.ports,
      name: 'weave',
      index: parts.nextIndex(),
      macAddress: mac,
      mtuBytes,
    });
    root.addDevice(this.bridge);
    const end = (name: string) => ({ name, index: parts.nextIndex(), macAddress: randomMac(engine.random), mtuBytes });
    this.trunk = createVethPair(engine, memory, end('vethwe-datapath'), end('vethwe-bridge'));
    const [datapathEnd, bridgeEnd] = this.trunk;
    this.overlay = new WeaveOverlay(mac, () => engine.nowUs, {
      memory,
      underlay,
      drops,
      name: 'vxlan-6784',
      index: parts.nextIndex(),
      macAddress: randomMac(engine.random),
      mtuBytes: OVERLAY_MTU_BYTES,
    });
    datapathEnd.upcall = { input: (_, frame) => this.overlay.transmit(frame) };
    this.overlay.upcall = { input: (_, frame) => datapathEnd.transmit(frame) };
    this.bridge.addPort(bridgeEnd, false);
  }

  get devices(): readonly NetDevice[] {
    return [this.bridge, ...this.trunk, this.overlay];
  }

  get tunnels(): readonly TunnelDevice[] {
    return [this.overlay];
  }

  /** The range of all nodes: none has a part that is its own for life. */
  get podCidr(): IpPrefix | null {
    return this.address === null ? null : this.parts.clusterCidr;
  }

  setPodCidr(): void {
    // What the node IPAM controller gives is not asked for.
  }

  setPodCidrIpv6(): void {
    // Pods have IPv4 alone.
  }

  /** Gives the bridge an address: the node is reached by it, and it is the pods' gateway. */
  expose(address: number): void {
    this.address = address;
    this.parts.root.addAddress(this.bridge, address, this.parts.clusterCidr.prefixLength);
  }

  attach(pod: PodAttachOptions, detached: () => void): PodAttachment {
    const { engine, memory, nodeName, clusterCidr, drops, secret } = this.parts;
    if (this.address === null) throw new Error(`pod ${pod.id}: node ${nodeName} has no address of its own yet`);
    return attachPod(
      {
        bridge: this.bridge,
        gateway: this.address,
        podCidr: clusterCidr,
        podCidrIpv6: null,
        clusterCidr: null,
        hostDeviceIndex: this.parts.nextIndex(),
        hostDeviceName: pod.hostDeviceName ?? cableName('vethwepl', 7, engine.random),
        hostDeviceMac: randomMac(engine.random),
        mtuBytes: WEAVE_MTU_BYTES,
      },
      pod,
      { engine, memory, name: pod.id, observer: drops.of(pod.id), secret },
      detached,
    );
  }

  peerAdded({ peer, options }: KnownPeer): void {
    if (options.vtepMac !== undefined) this.overlay.addPeer(peer, options.vtepMac);
  }

  peerRemoved({ peer }: KnownPeer): void {
    this.overlay.removePeer(peer);
  }

  observe(observer: FrameObserver | null): void {
    this.overlay.observer = observer;
    this.bridge.observer = observer;
  }
}
