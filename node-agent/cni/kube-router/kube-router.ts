/**
 * kube-router: pods on a bridge, and each node's pod CIDR announced to all others by BGP; see README.md.
 *
 *   own pod CIDR -> UPDATE to every node -> 10.244.1.0/24 via 192.168.1.10 dev eth0 proto 17
 */
import { createHash } from 'node:crypto';
import type { ClusterState } from '../../../shared/policy/compile.ts';
import type { PolicyPod } from '../../../shared/policy/policy-pod.ts';
import { formatIpv4, type Ipv4Prefix } from '../../../shared/wire/address.ts';
import { formatPrefix } from '../../../shared/wire/ip-address.ts';
import { BgpBackend, type Tunnelling } from '../../datapath/network/bgp-backend.ts';
import { BridgedNetwork } from '../../datapath/network/bridged-network.ts';
import type { NetworkParts } from '../../datapath/network/node-network.ts';
import { nodeSpeaker } from '../bgp/node-speaker.ts';
import type { BgpSpeaker } from '../bgp/speaker.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { HostLocalPods } from '../ipam/host-local-pods.ts';
import { type NetworkConfiguration, PORTMAP } from '../network-configuration.ts';
import type { CniAttachment, CniContext, CniPlugin, NodeNetworkUp, PeerNode, PodAttachRequest } from '../plugin.ts';
import { gobgp } from './gobgp.ts';
import { kubeRouterRules, NODES_SET } from './kube-router-rules.ts';
import { NO_POLICIES, policyChains } from './policy-chains.ts';

/** 0x11, which `ip route` has no name for. */
const ROUTE_PROTOCOL = '17';
/** `--injected-routes-sync-period`. */
const INJECTED_ROUTES_SYNC_US = 60_000_000;

export function kubeRouterNetwork(parts: NetworkParts, tunnelling: Tunnelling): BridgedNetwork<BgpBackend> {
  const backend = new BgpBackend(parts, {
    tunnelling,
    protocol: ROUTE_PROTOCOL,
    tunnel: { nameFor: tunnelName },
    scanIntervalUs: INJECTED_ROUTES_SYNC_US,
  });
  return new BridgedNetwork(parts, backend, { bridgeName: 'kube-bridge' });
}

/** `tun-192168111`; an address that is too long for a device's name is hashed. */
export function tunnelName(node: number): string {
  const digits = formatIpv4(node).replaceAll('.', '');
  const short = digits.length < 12 ? digits : createHash('sha256').update(digits).digest('hex').slice(0, 11);
  return `tun-${short}`;
}

export class KubeRouter implements CniPlugin {
  readonly speaker: BgpSpeaker;
  private readonly context: CniContext;
  private readonly pods: HostLocalPods;
  private readonly backend: BgpBackend;
  private policies = NO_POLICIES;
  /** Of the rules as they are; the same again would only begin their counters anew. */
  private appliedText = '';

  constructor(context: CniContext, tunnelling: Tunnelling) {
    this.context = context;
    this.pods = new HostLocalPods(context);
    const { backend } = context.datapath.use((parts) => kubeRouterNetwork(parts, tunnelling));
    this.backend = backend;
    this.speaker = nodeSpeaker(context, backend);
    this.applyRules();
  }

  annotations(): Record<string, string> {
    return {};
  }

  configuration(): NetworkConfiguration {
    const { podCidr } = this.context.datapath;
    const bridge = {
      name: 'kubernetes',
      type: 'bridge',
      mtu: this.backend.mtuBytes,
      bridge: 'kube-bridge',
      isDefaultGateway: true,
      ipam: { type: 'host-local', ...(podCidr === null ? {} : { subnet: formatPrefix(podCidr) }) },
    };
    return {
      fileName: '10-kuberouter.conflist',
      content: { cniVersion: '0.3.0', name: 'mynet', plugins: [bridge, PORTMAP] },
    };
  }

  /** Pods have IPv4 alone. */
  setUpNode(podCidr: Ipv4Prefix): NodeNetworkUp {
    this.pods.setUpNode(podCidr, undefined);
    this.speaker.announce(podCidr);
    return { reason: 'KubeRouterIsUp', message: 'kube-router is running on this node' };
  }

  attach(request: PodAttachRequest): CniAttachment {
    return this.pods.attach(request);
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.pods.retainOnly(podUids);
  }

  setPeer(peer: PeerNode): void {
    const known = datapathPeer(peer);
    if (known === undefined) return;
    this.context.datapath.setPeer(known);
    this.speaker.addPeer({ name: formatIpv4(peer.internalIp), address: peer.internalIp });
    this.applyRules();
  }

  removePeer(name: string): void {
    const { datapath } = this.context;
    const known = datapath.peers.get(name);
    if (known !== undefined) this.speaker.removePeer(known.options.internalIp);
    datapath.removePeer(name);
    this.applyRules();
  }

  /** `gobgp`, as in the node's kube-router container. */
  commands(): Record<string, (words: readonly string[]) => string> {
    const { root, internalIp } = this.context.datapath;
    const { speaker } = this;
    return { gobgp: (words) => gobgp({ speaker, nowUs: root.engine.nowUs, internalIp }, words) };
  }

  followPolicies(state: ClusterState, here: readonly PolicyPod[]): void {
    this.policies = policyChains(state, here, NODES_SET);
    this.applyRules();
  }

  /** They name all nodes. */
  private applyRules(): void {
    const { datapath } = this.context;
    const nodes = datapath.peers.list().map(({ options }) => options.internalIp);
    const all = [datapath.internalIp, ...nodes];
    const rules = kubeRouterRules(datapath.bootId, datapath.clusterCidr, all, this.policies);
    const text = JSON.stringify(rules);
    if (text === this.appliedText) return;
    this.appliedText = text;
    const reply = datapath.applyRules(rules);
    if (reply.kind !== 'applied') throw new Error(`kube-router's rules were refused: ${JSON.stringify(reply)}`);
  }
}
