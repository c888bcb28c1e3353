/**
 * NetworkPolicy by packets: for every policy of the table, every pod asks every other at every port, and what comes of it is
 * what the API's text says (`policy-oracle.testkit.ts`, which shares no code with the engine).
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { NETWORKS } from './network-cases.testkit.ts';
import { POLICY_CASES } from './policy-cases.testkit.ts';
import type { OraclePod } from './policy-oracle.testkit.ts';
import { byEngine, PolicyWorld, podNamed } from './policy-packets.testkit.ts';
import { addressOf, policy, programOf } from './policy-world.testkit.ts';

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
    const keeping = new PolicyWorld(undefined, byEngine('keep'));
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
