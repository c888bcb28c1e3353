/**
 * NetworkPolicy by packets: for every policy of the table, every pod asks every other at every port, and what comes of it is
 * what the API's text says (`policy-oracle.testkit.ts`, which shares no code with the engine).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { PodAttachment } from '../../node-agent/datapath/pod-attachment.ts';
import { type Established, PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { ANY_IPV6 } from '../../shared/wire/ipv6-address.ts';
import { ip, TestCluster, type TestClusterOptions } from './cluster.testkit.ts';
import { NETWORKS } from './network-cases.testkit.ts';
import { POLICY_CASES } from './policy-cases.testkit.ts';
import { allows, type Family, type OraclePod } from './policy-oracle.testkit.ts';
import { addressOf, NAMESPACES, PORTS, PROTOCOLS, policy, programOf, WORLD_PODS } from './policy-world.testkit.ts';

type Network = TestClusterOptions['network'];

class PolicyWorld {
  readonly cluster: TestCluster;
  private readonly hosts = new Map<string, PodAttachment['host']>();
  private readonly engines: { readonly engine: PolicyEngine; readonly isHere: (address: number) => boolean }[];

  /** flannel's network by default, which makes it a canal. */
  constructor(network?: Network, established: Established = 'cut') {
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
    this.engines = this.cluster.nodes.map((node) => {
      const engine = new PolicyEngine({
        memory: this.cluster.memory,
        isNodeAddress: (address) => node.root.isLocal(address),
        established,
      });
      node.setPolicy(engine);
      return { engine, isHere: (address) => address >>> 8 === node.podCidr!.address >>> 8 };
    });
  }

  apply(policies: Parameters<typeof programOf>[0]): void {
    for (const { engine, isHere } of this.engines) engine.program(programOf(policies, isHere));
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
  disagreements(policies: Parameters<typeof programOf>[0], family: Family): string[] {
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
const podNamed = (name: string): OraclePod => WORLD_PODS.find((pod) => nameOf(pod) === name)!;

let world: PolicyWorld;
beforeAll(() => {
  world = new PolicyWorld();
});

describe('every pod to every other', () => {
  it('has a table of at least 150 policies', () => expect(POLICY_CASES.length).toBeGreaterThanOrEqual(150));

  it.each(POLICY_CASES)('$name', ({ policies }) => {
    world.apply(policies);
    expect(world.disagreements(policies, 'ip')).toEqual([]);
    world.cluster.captured.length = 0;
  });

  it.each(POLICY_CASES.filter(({ policies }) => JSON.stringify(policies).includes('::')))(
    '$name, over IPv6',
    ({ policies }) => {
      world.apply(policies);
      expect(world.disagreements(policies, 'ipv6')).toEqual([]);
      world.cluster.captured.length = 0;
    },
  );
});

/** Packets come another way there, through IP-in-IP and behind routes instead of a bridge; what is judged is the same. */
describe("every pod to every other, on calico's network", () => {
  let calico: PolicyWorld;
  beforeAll(() => {
    calico = new PolicyWorld(NETWORKS['calico IP-in-IP']!.network);
  });

  it.each(POLICY_CASES)('$name', ({ policies }) => {
    calico.apply(policies);
    expect(calico.disagreements(policies, 'ip')).toEqual([]);
    calico.cluster.captured.length = 0;
  });
});

describe('connections and policies that change', () => {
  const denyIn = policy('y', 'deny', { podSelector: {}, policyTypes: ['Ingress'] });
  const server = podNamed('y/c');
  const client = podNamed('x/a');

  function exchange() {
    const socket = world.host(client).udp.bind({ port: 0 });
    const ask = () => world.cluster.askFrom(socket, server.ip, 80).answer;
    return { ask, close: () => socket.close() };
  }

  it('an established connection is cut, and lives again when it may', () => {
    world.apply([]);
    const { ask, close } = exchange();
    expect(ask()).toContain('heard');
    world.apply([denyIn]);
    expect(ask()).toBeNull();
    world.apply([]);
    expect(ask()).toContain('heard');
    close();
  });

  it('or kept, where the node is told so, while new ones are refused', () => {
    const keeping = new PolicyWorld(undefined, 'keep');
    const ask = (socket: ReturnType<typeof bind>) => keeping.cluster.askFrom(socket, server.ip, 80).answer;
    const bind = () => keeping.host(client).udp.bind({ port: 0 });
    const [early, late] = [bind(), bind()];
    expect(ask(early)).toContain('heard');
    keeping.apply([denyIn]);
    expect(ask(early)).toContain('heard');
    expect(ask(late)).toBeNull();
  });

  it('replies need no rule: a client that nobody may reach is answered', () => {
    world.apply([policy('x', 'deny', { podSelector: {}, policyTypes: ['Ingress'] })]);
    const { ask, close } = exchange();
    expect(ask()).toContain('heard');
    close();
  });

  it('a refused packet is counted with the policy that refused it', () => {
    world.apply([denyIn]);
    const before = deniedBy('NetworkPolicy y/deny');
    const { ask, close } = exchange();
    expect(ask()).toBeNull();
    close();
    expect(deniedBy('NetworkPolicy y/deny')).toBe(before + 1);
  });

  it('the node reaches its pods whatever they refuse', () => {
    world.apply([policy('y', 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })]);
    const { root } = world.cluster.node(2);
    expect(world.cluster.ask(root, server.ip, 80).answer).toContain('heard');
  });

  it('a pod that may send to nobody does not reach its node either', () => {
    const node = world.cluster.node(1);
    world.cluster.udpServer(node.root, 9100, 'node');
    world.apply([]);
    expect(world.cluster.ask(world.host(client), '10.244.1.1', 9100).answer).toContain('node heard');
    world.apply([policy('x', 'deny', { podSelector: {}, policyTypes: ['Egress'] })]);
    expect(world.cluster.ask(world.host(client), '10.244.1.1', 9100).answer).toBeNull();
  });

  it('ICMP needs a rule without ports', () => {
    const ping = () => world.cluster.ping(world.host(client), { to: server.ip }).kind;
    world.apply([policy('y', 'ports', { podSelector: {}, ingress: [{ ports: [{ port: 80 }] }] })]);
    expect(ping()).toBe('timeout');
    world.apply([policy('y', 'open', { podSelector: {}, ingress: [{}] })]);
    expect(ping()).toBe('reply');
  });

  function deniedBy(cause: string): number {
    return world.cluster.nodes
      .flatMap((node) => node.drops.list())
      .filter((drop) => drop.code === 'policy-denied' && drop.cause === cause)
      .reduce((sum, drop) => sum + drop.packets, 0);
  }
});

describe('Services and nodes', () => {
  const server = podNamed('y/c');
  const client = podNamed('x/a');
  const SERVICE = '10.96.7.7';
  const egressTo = (...cidrs: string[]) =>
    policy('x', 'out', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [{ to: cidrs.map((cidr) => ({ ipBlock: { cidr } })) }],
    });
  const denyAll = (namespace: string) =>
    policy(namespace, 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  const ask = (from: OraclePod) => world.cluster.ask(world.host(from), SERVICE, 8000).answer;
  beforeAll(() => {
    const backends = [`${server.ip}:80`];
    world.cluster.services({ name: 'web', protocol: 'udp', clusterIp: SERVICE, port: 8000, backends });
  });

  it("a block means the pod behind a Service, and not the Service's address", () => {
    world.apply([egressTo(`${SERVICE}/32`)]);
    expect(ask(client)).toBeNull();
    world.apply([egressTo(`${server.ip}/32`)]);
    expect(ask(client)).toContain('heard');
  });

  it("a port is the pod's, and not the Service's", () => {
    const ports = (port: number) =>
      policy('y', 'in', { podSelector: {}, ingress: [{ ports: [{ protocol: 'UDP', port }] }] });
    world.apply([ports(8000)]);
    expect(ask(client)).toBeNull();
    world.apply([ports(80)]);
    expect(ask(client)).toContain('heard');
  });

  it('a pod reaches itself through its Service, whatever is denied', () => {
    world.apply([denyAll('y')]);
    expect(ask(server)).toContain('heard');
    expect(ask(client)).toBeNull();
  });

  it('another node is known by the address with which it sends', () => {
    const { root } = world.cluster.node(1);
    const fromBlock = (cidr: string) =>
      policy('y', 'in', { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr } }] }] });
    const answer = () => world.cluster.ask(root, server.ip, 80).answer;
    world.apply([fromBlock('192.168.1.0/24')]);
    expect(answer()).toBeNull();
    world.apply([fromBlock('10.244.1.0/32')]); // of flannel.1
    expect(answer()).toContain('heard');
  });
});

describe('what decided', () => {
  it('is told for both sides', () => {
    const engine = new PolicyEngine({ memory: world.cluster.memory, isNodeAddress: () => false });
    engine.program(
      programOf([
        policy('x', 'out', { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 80 }] }] }),
        policy('y', 'in', { podSelector: {}, policyTypes: ['Ingress'] }),
      ]),
    );
    const { egress, ingress } = engine.explain(addressOf(podNamed('x/a')), addressOf(podNamed('y/b')), 6, 80);
    expect(egress).toEqual({ drop: null, cause: 'NetworkPolicy x/out', rule: 'egress rule 1' });
    expect(ingress).toEqual({
      drop: { code: 'policy-denied', cause: 'NetworkPolicy y/in' },
      cause: 'NetworkPolicy y/in',
      rule: null,
    });
  });
});
