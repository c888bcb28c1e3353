/** cilium's plugin on two nodes, with a client on the first and a server on the second, or the first too, in virtual time. */
import { Cilium } from '../../node-agent/cni/cilium/cilium.ts';
import { memoryLeases } from '../../node-agent/cni/ipam/memory-leases.testkit.ts';
import type { PluginOutput } from '../../node-agent/cni/plugin.ts';
import { encodeUnderlay } from '../../node-agent/cni/underlay-annotations.ts';
import { securityLabels } from '../../node-agent/datapath/cilium/security-labels.ts';
import type { CiliumRouting } from '../../node-agent/datapath/network/cilium-network.ts';
import { PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { type CiliumPolicySpec, ciliumPoliciesOf } from '../../shared/policy/cilium-policy.ts';
import { type ClusterState, PolicyCompiler } from '../../shared/policy/compile.ts';
import type { PolicyPod } from '../../shared/policy/policy-pod.ts';
import { parseIpv4Prefix } from '../../shared/wire/address.ts';
import { TestCluster } from './cluster.testkit.ts';

const NODES = 2;
const NAMESPACES = new Map([['default', { 'kubernetes.io/metadata.name': 'default' }]]);
export const CLIENT_ID = 1000;
export const SERVER_ID = 2000;

function podCidrOf(index: number) {
  return parseIpv4Prefix(`10.244.${index + 1}.0/24`)!;
}

export class CiliumWorld {
  readonly plugins: Cilium[] = [];
  readonly engines: PolicyEngine[] = [];
  readonly cluster: TestCluster;
  readonly client;
  readonly server;
  private readonly pods: PolicyPod[];

  private readonly serverNode: number;

  /** `serverNode`: 1 or 2. */
  constructor(routing: CiliumRouting = 'vxlan', serverNode = 2, settings: Readonly<Record<string, string>> = {}) {
    this.serverNode = serverNode;
    this.cluster = new TestCluster(NODES, 1, {
      traced: false,
      prepare: (datapath) => {
        const plugin = new Cilium(
          { datapath, leases: memoryLeases(), bgpHoldSeconds: 4, pods: () => [], up: () => undefined, settings },
          routing,
        );
        const { root } = datapath;
        const engine = new PolicyEngine({ memory: root.memory, isNodeAddress: (address) => root.isLocal(address) });
        engine.observer = plugin.flows;
        datapath.setPolicy(engine);
        this.plugins.push(plugin);
        this.engines.push(engine);
      },
    });
    for (const [i, plugin] of this.plugins.entries()) {
      plugin.setUpNode(podCidrOf(i));
      this.introduce(plugin, 1 - i);
    }
    this.client = this.plugins[0]!.attach({ uid: 'client', id: 'default/client' });
    this.server = this.plugins[serverNode - 1]!.attach({ uid: 'server', id: 'default/server' });
    this.pods = [this.policyPod('client', this.client.address), this.policyPod('server', this.server.address)];
    for (const { directory } of this.plugins) {
      for (const [i, number] of [CLIENT_ID, SERVER_ID].entries()) {
        directory.setIdentity(number, securityLabels(this.pods[i]!, NAMESPACES.get('default')!));
      }
    }
    this.apply();
    this.cluster.udpServer(this.server.host, 80, 'server');
    this.cluster.settle();
  }

  /** One policy, in force on both nodes. */
  apply(...specs: readonly CiliumPolicySpec[]): void {
    const object = { metadata: { namespace: 'default', name: 'guard' }, specs };
    const policies = ciliumPoliciesOf('CiliumNetworkPolicy', object, { nodeName: 'worker-2' });
    const state: ClusterState = { policies, pods: this.pods, namespaces: NAMESPACES, blocksAreOutside: true };
    for (const [i, { names }] of this.plugins.entries()) {
      const program = (): void =>
        this.program(i, { ...state, addressesOfNames: (pattern) => names.addressesOf(pattern) });
      names.onChange = program;
      program();
    }
  }

  private program(i: number, state: ClusterState): void {
    const compiler = new PolicyCompiler(state);
    const mine = this.pods.filter(({ name }) => i + 1 === (name === 'server' ? this.serverNode : 1));
    const endpoints = mine.map((pod) => [pod.addresses[0]!, compiler.endpoint(pod)] as const);
    this.engines[i]!.program(
      new Map(endpoints.flatMap(([address, policy]) => (policy ? [[address, policy] as const] : []))),
    );
    this.plugins[i]!.directory.follow(this.pods, new Set(mine.map(({ uid }) => uid)), NAMESPACES);
  }

  command(node: number, ...words: [string, ...string[]]): string {
    const output = this.output(node, ...words);
    return typeof output === 'string' ? output : output.text;
  }

  output(node: number, ...[name, ...rest]: [string, ...string[]]): PluginOutput {
    return this.plugins[node - 1]!.commands()[name]!(rest);
  }

  private policyPod(name: string, address: number): PolicyPod {
    const labels = { app: name };
    return { uid: name, namespace: 'default', name, labels, nodeName: undefined, addresses: [address], ports: [] };
  }

  private introduce(plugin: Cilium, index: number): void {
    const { nodeName, internalIp, underlayMac: mac } = this.cluster.nodes[index]!;
    const endpoint = this.cluster.links.get(`127.0.1.${10 + index}`)!.local;
    plugin.setPeer({
      name: nodeName,
      internalIp,
      podCidr: podCidrOf(index),
      internalIpv6: undefined,
      podCidrIpv6: undefined,
      annotations: { ...encodeUnderlay({ endpoint, mac }), ...this.plugins[index]!.annotations() },
      labels: {},
    });
  }
}
