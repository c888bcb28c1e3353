/**
 * cilium: pods behind programs at devices, no bridge, no chains; see README.md.
 *
 *   pod CIDR -> router address (cilium_host) -> pods' gateway; nodes publish theirs, so that all know whose packets those are
 */
import { type EnforcementMode, enforcementMode } from '../../../shared/policy/cilium-enforcement.ts';
import type { ClusterState } from '../../../shared/policy/compile.ts';
import { CILIUM_ROUTING_ANNOTATION } from '../../../shared/policy/policy-node.ts';
import { formatIpv4, type Ipv4Prefix } from '../../../shared/wire/address.ts';
import { CiliumProxy } from '../../datapath/cilium/cilium-proxy.ts';
import { DnsGate } from '../../datapath/cilium/dns-gate.ts';
import { EndpointDirectory } from '../../datapath/cilium/endpoint-directory.ts';
import { FlowLog } from '../../datapath/cilium/flow-log.ts';
import { FqdnCache } from '../../datapath/cilium/fqdn-cache.ts';
import { FqdnIdentities } from '../../datapath/cilium/fqdn-identities.ts';
import { CiliumNetwork, type CiliumRouting } from '../../datapath/network/cilium-network.ts';
import type { PolicyEngine } from '../../datapath/policy/policy-engine.ts';
import type { WireguardKeys } from '../../datapath/wireguard/session.ts';
import type { CiliumPolicyOptions } from '../../policy/policy-agent.ts';
import type { ClusterAccess } from '../cluster-access.ts';
import { datapathPeer } from '../datapath-peer.ts';
import { HostLocalIpam } from '../ipam/host-local.ts';
import { attachLeased } from '../leased-pod.ts';
import type { NetworkConfiguration } from '../network-configuration.ts';
import type {
  CniAttachment,
  CniContext,
  CniPlugin,
  NodeNetworkUp,
  PeerNode,
  PluginOutput,
  PodAttachRequest,
  PolicyNodeParts,
} from '../plugin.ts';
import { createNodeKeys } from '../wireguard/node-keys.ts';
import { type CiliumView, ciliumDbg } from './cilium-dbg.ts';
import { endpointId } from './endpoint-id.ts';
import { EndpointObjects } from './endpoint-objects.ts';
import { hubble } from './hubble.ts';
import { IdentityAgent } from './identity-agent.ts';
import { PolicyRepository } from './policy-repository.ts';
import { decodeDnsMessage } from './proxy/dns-message.ts';
import { ProxyServer, type ProxyServerOptions } from './proxy/proxy-server.ts';

const ROUTER_OWNER = 'router';
const KEY_ANNOTATION = 'network.cilium.io/wg-pub-key';

export class Cilium implements CniPlugin {
  private readonly context: CniContext;
  readonly directory: EndpointDirectory;
  readonly flows: FlowLog;
  readonly names: FqdnCache;
  readonly enforcement: EnforcementMode;
  private readonly gate: DnsGate;
  private readonly proxy: CiliumProxy;
  private readonly network: CiliumNetwork;
  private readonly routing: CiliumRouting;
  /** Where packets between nodes are sealed. */
  private readonly keys: WireguardKeys | undefined;
  private readonly repository = new PolicyRepository();
  private ipam: HostLocalIpam | undefined;
  private survivors: ReadonlySet<string> | undefined;

  constructor(context: CniContext, routing: CiliumRouting) {
    this.context = context;
    this.routing = routing;
    const { settings = {} } = context;
    const isSealed = routing === 'wireguard' || settings['enable-wireguard'] === 'true';
    this.keys = isSealed ? createNodeKeys() : undefined;
    const { root, conntrack, drops, eth0 } = context.datapath;
    this.network = context.datapath.use((parts) => new CiliumNetwork(parts, routing, this.keys));
    this.directory = new EndpointDirectory(this.network.ipCache);
    const { engine, memory } = root;
    this.flows = new FlowLog(memory, () => engine.nowUs);
    this.names = new FqdnCache({ engine, openEnds: () => conntrack.openEnds() });
    const local = new FqdnIdentities(this.names, this.network.ipCache);
    this.names.onIdentities = () => local.follow();
    this.directory.local = local;
    this.enforcement = enforcementMode(settings['enable-policy']);
    this.names.minTtlSeconds = secondsOf(settings['tofqdns-min-ttl']);
    this.gate = new DnsGate(decodeDnsMessage, this.names, this.flows);
    const { secret, nextIndex } = this.network.parts;
    const parts = { engine, memory, root, drops, eth0, conntrack, secret, nextIndex };
    this.proxy = new CiliumProxy(parts, this.gate, this.network.routeMtuBytes);
  }

  annotations(): Record<string, string> {
    const routing = { [CILIUM_ROUTING_ANNOTATION]: this.routing };
    return this.keys === undefined ? routing : { ...routing, [KEY_ANNOTATION]: this.keys.publicKey };
  }

  configuration(): NetworkConfiguration {
    const cilium = { type: 'cilium-cni', 'enable-debug': false, 'log-file': '/var/run/cilium/cilium-cni.log' };
    return {
      fileName: '05-cilium.conflist',
      content: { cniVersion: '0.3.1', name: 'cilium', plugins: [cilium] },
    };
  }

  setUpNode(podCidr: Ipv4Prefix): NodeNetworkUp {
    const { datapath, leases } = this.context;
    datapath.setPodCidr(podCidr);
    this.ipam = new HostLocalIpam({ network: podCidr.address, prefixLength: podCidr.prefixLength }, leases);
    if (this.survivors !== undefined) this.ipam.retainOnly(this.survivors);
    this.network.setRouterAddress(this.ipam.allocate(ROUTER_OWNER));
    return { reason: 'CiliumIsUp', message: 'Cilium is running on this node' };
  }

  attach(request: PodAttachRequest): CniAttachment {
    const attachment = attachLeased({ datapath: this.context.datapath, ipam: this.ipam }, request);
    const detach = (): void => {
      attachment.detach();
      this.names.forget(({ endpoint }) => endpoint === attachment.address);
    };
    return { ...attachment, detach };
  }

  joinPolicy(engine: PolicyEngine, { events, networkOf }: PolicyNodeParts): CiliumPolicyOptions {
    const { flows, names, enforcement } = this;
    const { nodeName } = this.context.datapath;
    const cluster = this.cluster();
    engine.observer = flows;
    this.lookInside(engine, { inTurn: cluster.inTurn, networkOf }).catch((error: unknown) =>
      cluster.log.error({ error }, 'rules about HTTP and DNS cannot be asked'),
    );
    return { nodeName, identities: this.identityAgent(cluster, events), names, enforcement };
  }

  /** What policy asks of connections' content goes through the node's proxies from now on. */
  async lookInside(policy: PolicyEngine, sockets: Pick<ProxyServerOptions, 'networkOf' | 'inTurn'>): Promise<void> {
    const { proxy, gate, flows } = this;
    await new ProxyServer({ proxy, gate, flows, policy, ...sockets }).start();
    policy.proxy = proxy;
  }

  /** Whose an address is, in numbers that all nodes agree on. */
  private identityAgent({ bus, api, clock }: ClusterAccess, events: PolicyNodeParts['events']): IdentityAgent {
    const { directory } = this;
    const { datapath } = this.context;
    const endpoints = new EndpointObjects({
      api: events,
      directory,
      nodeIp: formatIpv4(datapath.internalIp),
      endpointId: (address) => endpointId(datapath, address),
    });
    const random = (): number => datapath.root.engine.random();
    return new IdentityAgent({ bus, api, clock, directory, endpoints, random });
  }

  /** Identities are objects. */
  private cluster(): ClusterAccess {
    const { cluster } = this.context;
    if (cluster === undefined) throw new Error('cilium joins the policy of a node of a cluster alone');
    return cluster;
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.survivors = new Set([...podUids, ROUTER_OWNER]);
    this.ipam?.retainOnly(this.survivors);
  }

  setPeer(peer: PeerNode): void {
    if (peer.annotations[CILIUM_ROUTING_ANNOTATION] !== this.routing) return;
    const known = datapathPeer(peer, { publicKey: peer.annotations[KEY_ANNOTATION] });
    if (known !== undefined) this.context.datapath.setPeer(known);
  }

  removePeer(name: string): void {
    this.context.datapath.removePeer(name);
  }

  followPolicies({ policies }: ClusterState): void {
    this.repository.follow(policies);
  }

  commands(): Record<string, (words: readonly string[]) => PluginOutput> {
    const dbg = (words: readonly string[]) => ciliumDbg(this.view(), words);
    const observe = (words: readonly string[]) => hubble(this.view(), words, Date.now() * 1000);
    return { cilium: dbg, 'cilium-dbg': dbg, hubble: observe };
  }

  private view(): CiliumView {
    const { datapath } = this.context;
    const { network, directory, flows, names, proxy, repository, ipam } = this;
    return {
      datapath,
      network,
      directory,
      flows,
      names,
      proxy,
      repository,
      ipam: { size: ipam?.size ?? 0, capacity: ipam?.capacity ?? 0 },
    };
  }
}

/** A ConfigMap may say anything; what is no whole number is 0, the default. */
function secondsOf(text = ''): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : 0;
}
