/**
 * One Ethernet segment for all pods of the cluster: weave's network. IPv4 alone.
 *
 *   pod eth0 10.32.0.5/12 ~ vethwepl... -- weave (10.32.0.1/12) -- vethwe-bridge ~ vethwe-datapath ~ switch
 *     switch -> vxlan-6784 => or UDP port 6783 => the other nodes
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
import { EspTransport } from '../weave/esp-transport.ts';
import type { PeerCiphers } from '../weave/packet-cipher.ts';
import { PeerIndex } from '../weave/peer-index.ts';
import { SecureSession } from '../weave/secure-session.ts';
import { Sleeve } from '../weave/sleeve.ts';
import { WeaveOverlay } from '../weave/weave-overlay.ts';
import { WeavePeer } from '../weave/weave-peer.ts';
import { type WeaveRoutes, WeaveSwitch } from '../weave/weave-switch.ts';
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
  readonly sleeve: Sleeve;
  readonly esp: EspTransport;
  /** Told of words from other peers: of one over the sleeve, with the MTU that it came through. */
  heard: ((from: WeavePeer, way: 'fastdp' | 'sleeve', mtuBytes: number) => void) | null = null;
  readonly peers: PeerIndex;
  readonly switch: WeaveSwitch;
  private readonly overlay: WeaveOverlay;
  private readonly trunk: readonly [VethDevice, VethDevice];
  private address: number | null = null;

  /** `mac` is the bridge's, and what the other nodes know this one by; `isEncrypted`: connections without keys are refused. */
  constructor(parts: NetworkParts, mac: number, isEncrypted = false) {
    const { engine, memory, root, rules, underlay, drops, internalIp } = parts;
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
    this.peers = new PeerIndex(mac);
    this.switch = new WeaveSwitch({
      memory,
      underlay,
      drops,
      nowUs: () => engine.nowUs,
      name: mac,
      peers: this.peers,
      special: (from) => this.heard?.(from, 'fastdp', mtuBytes),
    });
    this.esp = new EspTransport(root, internalIp);
    this.overlay = new WeaveOverlay({
      esp: this.esp,
      peers: this.peers,
      isEncrypted,
      memory,
      underlay,
      drops,
      name: 'vxlan-6784',
      index: parts.nextIndex(),
      macAddress: randomMac(engine.random),
      mtuBytes: OVERLAY_MTU_BYTES,
    });
    this.sleeve = new Sleeve({
      host: root,
      local: internalIp,
      name: mac,
      frame: (header, frame) => this.switch.fromSleeve(header, frame),
      special: (from, mtu) => this.heard?.(from, 'sleeve', mtu),
    });
    this.switch.overlay = this.overlay;
    this.switch.sleeve = this.sleeve;
    this.switch.toBridge = (frame) => datapathEnd.transmit(frame);
    datapathEnd.upcall = { input: (_, frame) => this.switch.fromBridge(frame) };
    this.overlay.upcall = { input: (_, frame) => this.switch.fromFastdp(frame) };
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
    if (options.vtepMac === undefined) return;
    this.switch.addPeer(new WeavePeer(options.vtepMac, peer, options.internalIp));
  }

  peerRemoved({ peer }: KnownPeer): void {
    const removed = this.peers.behind(peer);
    if (removed === undefined) return;
    this.disconnect(removed);
    this.switch.removePeer(removed);
  }

  /** The peers have a connection: `ciphers` are of this one; null where it is not encrypted. */
  connect(peer: WeavePeer, ciphers: PeerCiphers | null): void {
    this.disconnect(peer);
    peer.fastdp = ciphers === null ? null : new SecureSession(ciphers.fastdp);
    peer.sleeve = ciphers === null ? null : new SecureSession(ciphers.sleeve);
    this.esp.add(peer);
    this.sleeve.add(peer);
  }

  disconnect(peer: WeavePeer): void {
    this.esp.remove(peer);
    this.sleeve.remove(peer);
    peer.way = null;
    peer.fastdp = null;
    peer.sleeve = null;
    peer.sleeveMtuBytes = Number.POSITIVE_INFINITY;
  }

  setRoutes(routes: WeaveRoutes): void {
    this.switch.setRoutes(routes);
  }

  observe(observer: FrameObserver | null): void {
    this.overlay.observer = observer;
    this.bridge.observer = observer;
  }
}
