/** Two pods of cilium's, of which what they say is looked into: real sockets over the stacks of two nodes, or of one. */
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { TestLoop } from '../../shared/podnet/pod-pair.testkit.ts';
import { StackNetwork } from '../../shared/podnet/stack-network.ts';
import type { CiliumPolicySpec } from '../../shared/policy/cilium-policy.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { CiliumWorld } from './cilium-world.testkit.ts';

export class CiliumPods {
  readonly world: CiliumWorld;
  readonly loop: TestLoop;
  readonly client: PodNetwork;
  readonly server: PodNetwork;
  readonly serverAddress: string;

  private constructor(world: CiliumWorld) {
    this.world = world;
    this.loop = new TestLoop(world.cluster.engine);
    this.client = this.networkOf(world.client.host);
    this.server = this.networkOf(world.server.host);
    this.serverAddress = formatAddress(world.server.address);
  }

  /** The client's node is 1. */
  static async create(serverNode = 2): Promise<CiliumPods> {
    const pods = new CiliumPods(new CiliumWorld('vxlan', serverNode));
    const { world, loop } = pods;
    const networkOf = (host: (typeof world.client)['host']) => pods.networkOf(host);
    for (const [i, plugin] of world.plugins.entries()) {
      await plugin.lookInside(world.engines[i]!, { networkOf, inTurn: (call) => loop.run(call) });
    }
    return pods;
  }

  apply(...specs: CiliumPolicySpec[]): void {
    this.loop.run(() => this.world.apply(...specs));
  }

  hubble(node: number, ...words: string[]): string {
    return this.world.command(node, 'hubble', 'observe', ...words);
  }

  close(): void {
    this.loop.close();
  }

  private networkOf(host: CiliumWorld['client']['host']): PodNetwork {
    return new StackNetwork({ host, loop: this.loop });
  }
}
