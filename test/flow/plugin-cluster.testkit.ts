/** A CNI plugin on a few nodes in virtual time, which know of each other by their annotations, as the kubelet tells them. */
import { memoryLeases } from '../../node-agent/cni/ipam/memory-leases.testkit.ts';
import type { CniAttachment, CniContext, CniPlugin, PeerNode } from '../../node-agent/cni/plugin.ts';
import { encodeUnderlay } from '../../node-agent/cni/underlay-annotations.ts';
import { formatRoutes, routeRows } from '../../node-agent/datapath/show/route.ts';
import { type Ipv4Prefix, parseIpv4Prefix } from '../../shared/wire/address.ts';
import { TestCluster } from './cluster.testkit.ts';

const NODES = 3;
export const HOLD_SECONDS = 4;
export const SECOND_US = 1_000_000;

export class PluginCluster<Plugin extends CniPlugin> {
  readonly plugins: Plugin[] = [];
  readonly cluster: TestCluster;
  /** Lines of the plugins' logs, each behind its node. */
  readonly logs: string[] = [];
  private readonly upNodes = new Set<string>();

  /** `captures`: whether the cluster keeps what its nodes send each other. */
  constructor(create: (context: CniContext) => Plugin, options: { readonly captures?: boolean } = {}) {
    this.cluster = new TestCluster(NODES, 1, {
      ...options,
      traced: false,
      prepare: (datapath) => {
        const up = () => this.upNodes.add(datapath.nodeName);
        const pods = () => [];
        const log = (line: string) => this.logs.push(`${datapath.nodeName} ${line}`);
        const context = { datapath, leases: memoryLeases(), bgpHoldSeconds: HOLD_SECONDS, pods, up, log };
        this.plugins.push(create(context));
      },
    });
    for (const [i, plugin] of this.plugins.entries()) {
      plugin.setUpNode(podCidrOf(i), undefined);
      for (let other = 0; other < NODES; other++) if (other !== i) this.introduce(plugin, other);
    }
    this.cluster.advance(3 * SECOND_US);
  }

  /** Nodes whose network came up after it was set up. */
  get up(): number {
    return this.upNodes.size;
  }

  isUp(node: number): boolean {
    return this.upNodes.has(`worker-${node}`);
  }

  /** Nodes are counted from 1. */
  pod(node: number, name: string): CniAttachment {
    return this.plugins[node - 1]!.attach({ uid: name, id: `default/${name}` });
  }

  /** Of a plugin that asks elsewhere for the pod's address first. */
  async startPod(node: number, name: string, annotations: Record<string, string> = {}): Promise<CniAttachment> {
    const request = { uid: name, id: `default/${name}`, namespace: 'default', name, annotations };
    await this.plugins[node - 1]!.reserve?.(request);
    return this.pod(node, name);
  }

  /** Lets what waits for an answer from elsewhere go on, and the nodes tell each other. */
  async settled(): Promise<void> {
    await new Promise(setImmediate);
    this.cluster.advance(SECOND_US);
  }

  /** `ip route` of a node. */
  routes(node: number): string {
    return formatRoutes(routeRows(this.cluster.node(node).root, 'ipv4'));
  }

  /** A command of the plugin on a node. */
  run(node: number, name: string, ...words: string[]): string {
    const output = this.plugins[node - 1]!.commands?.()[name]?.(words) ?? '';
    return typeof output === 'string' ? output : output.text;
  }

  /** A node's object says something new, which all nodes hear. */
  describe(node: number, said: NodeWords): void {
    for (const [i, plugin] of this.plugins.entries()) {
      if (i === node - 1) plugin.setSelf?.(this.nodeAt(i, said));
      else this.introduce(plugin, node - 1, said);
    }
  }

  /** Tells a node of another, which is counted from 0. */
  introduce(plugin: Plugin, index: number, said: NodeWords = {}): void {
    plugin.setPeer(this.nodeAt(index, said));
  }

  /** A node as others are told of it. */
  nodeAt(index: number, { labels = {}, annotations = {} }: NodeWords = {}): PeerNode {
    const { nodeName, internalIp, underlayMac: mac } = this.cluster.nodes[index]!;
    const endpoint = this.cluster.links.get(`127.0.1.${10 + index}`)!.local;
    return {
      name: nodeName,
      internalIp,
      podCidr: podCidrOf(index),
      internalIpv6: undefined,
      podCidrIpv6: undefined,
      annotations: { ...encodeUnderlay({ endpoint, mac }), ...this.plugins[index]!.annotations(), ...annotations },
      labels,
    };
  }
}

/** What a node's object says beside what its plugin has it say. */
type NodeWords = Partial<Pick<PeerNode, 'labels' | 'annotations'>>;

function podCidrOf(index: number): Ipv4Prefix {
  return parseIpv4Prefix(`10.244.${index + 1}.0/24`)!;
}
