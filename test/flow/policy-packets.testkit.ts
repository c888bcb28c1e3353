/** Pods of the policies' world on a network, and whether packets between them come to what the API's text says. */
import type { NodeDatapath } from '../../node-agent/datapath/path.ts';
import type { PodAttachment } from '../../node-agent/datapath/pod-attachment.ts';
import { type Established, PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import { ip, TestCluster, type TestClusterOptions } from './cluster.testkit.ts';
import { allows, type Family, type OraclePod } from './policy-oracle.testkit.ts';
import { NAMESPACES, PORTS, PROTOCOLS, programOf, WORLD_PODS } from './policy-world.testkit.ts';

type Policies = Parameters<typeof programOf>[0];

/** Makes a node enforce policies; the answer puts others in force. */
export type Enforcer = (node: NodeDatapath, isHere: (address: number) => boolean) => (policies: Policies) => void;

export function byEngine(established: Established = 'cut'): Enforcer {
  return (node, isHere) => {
    const { memory } = node.root;
    const engine = new PolicyEngine({ memory, isNodeAddress: (address) => node.root.isLocal(address), established });
    node.setPolicy(engine);
    return (policies) => engine.program(programOf(policies, isHere));
  };
}

export class PolicyWorld {
  readonly cluster: TestCluster;
  private readonly hosts = new Map<string, PodAttachment['host']>();
  private readonly nodes: ReturnType<Enforcer>[];

  /** flannel's network by default, which makes it a canal. */
  constructor(network?: TestClusterOptions['network'], enforcer: Enforcer = byEngine()) {
    this.cluster = new TestCluster(2, 1, { traced: false, network });
    for (const pod of WORLD_PODS) {
      const { host } = this.cluster.pod(pod.ip);
      this.hosts.set(pod.ip, host);
      for (const port of PORTS) {
        this.cluster.udpServer(host, port, pod.ip);
        host.tcp.listen({ address: ANY_IPV6, port }).onConnection = (connection) => {
          connection.onEnd = () => connection.end();
        };
      }
    }
    this.nodes = this.cluster.nodes.map((node) =>
      enforcer(node, (address) => address >>> 8 === node.podCidr!.address >>> 8),
    );
  }

  apply(policies: Policies): void {
    for (const enforce of this.nodes) enforce(policies);
  }

  host(pod: OraclePod): PodAttachment['host'] {
    return this.hosts.get(pod.ip)!;
  }

  reaches(client: OraclePod, server: OraclePod, protocol: string, port: number, family: Family): boolean {
    if (protocol === 'UDP') return this.cluster.ask(this.host(client), server[family], port).answer !== null;
    let established = false;
    const connection = this.host(client).tcp.connect({ remoteAddress: ip(server[family]), remotePort: port });
    connection.onEstablished = () => {
      established = true;
    };
    this.cluster.settle();
    connection.abort();
    this.cluster.settle();
    return established;
  }

  /** `x/a -> y/b TCP 80`, for each pair and port where packets and the oracle disagree. */
  disagreements(policies: Policies, family: Family): string[] {
    const wrong: string[] = [];
    for (const client of WORLD_PODS) {
      for (const server of WORLD_PODS) {
        if (client === server) continue;
        for (const protocol of PROTOCOLS) {
          for (const port of PORTS) {
            const wanted = allows({ namespaces: NAMESPACES, policies }, client, server, protocol, port, family);
            const got = this.reaches(client, server, protocol, port, family);
            if (got !== wanted) wrong.push(`${nameOf(client)} -> ${nameOf(server)} ${protocol} ${port} ${got}`);
          }
        }
      }
    }
    return wrong;
  }
}

const nameOf = ({ namespace, name }: OraclePod): string => `${namespace}/${name}`;
export const podNamed = (name: string): OraclePod => WORLD_PODS.find((pod) => nameOf(pod) === name)!;
