/**
 * NetworkPolicy by kube-router's chains and ipsets alone, without the engine: every policy of the table, every pod to every other,
 * and what comes of it is what the API's text says.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { kubeRouterRules, NODES_SET } from '../../node-agent/cni/kube-router/kube-router-rules.ts';
import { policyChains } from '../../node-agent/cni/kube-router/policy-chains.ts';
import { iptablesSave } from '../../shared/rules/iptables-save.ts';
import { ip } from './cluster.testkit.ts';
import { NETWORKS } from './network-cases.testkit.ts';
import { POLICY_CASES } from './policy-cases.testkit.ts';
import { type Enforcer, PolicyWorld, podNamed } from './policy-packets.testkit.ts';
import { policy, stateOf } from './policy-world.testkit.ts';

/** After so long a silence no connection is known any more. */
const SILENCE_US = 1_000_000_000;

const byChains: Enforcer = (node, isHere) => (policies) => {
  const state = stateOf(policies);
  const here = state.pods.filter(({ addresses }) => isHere(addresses[0]!));
  const nodes = [ip('192.168.1.10'), ip('192.168.1.11')];
  const chains = policyChains(state, here, NODES_SET);
  const reply = node.applyRules(kubeRouterRules(node.bootId, node.clusterCidr, nodes, chains));
  if (reply.kind !== 'applied') throw new Error(JSON.stringify(reply));
};

let world: PolicyWorld;
beforeAll(() => {
  world = new PolicyWorld(NETWORKS['kube-router between neighbours']!.network, byChains);
});

it.each(POLICY_CASES)('$name', ({ policies }) => {
  world.apply(policies);
  expect(world.disagreements(policies, 'ip')).toEqual([]);
  world.cluster.captured.length = 0;
  world.cluster.advance(SILENCE_US);
});

describe('what a node shows', () => {
  const web = policy('y', 'web', {
    podSelector: { matchLabels: { pod: 'b' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { pod: 'a' } } }], ports: [{ port: 80 }] }],
  });
  const saved = () => iptablesSave(world.cluster.node(1).rules.ipv4.ruleset, { table: 'filter' });

  it('is chains as the original makes them, for the pods that a policy selects', () => {
    world.apply([web]);
    const text = saved();
    expect(text).toMatch(/-A FORWARD -m comment --comment "kube-router netpol - [A-Z2-7]{16}" -j KUBE-ROUTER-FORWARD/);
    expect(text.match(/^:KUBE-POD-FW-/gm)).toHaveLength(1);
    expect(text).toMatch(
      /-A KUBE-ROUTER-FORWARD -d 10\.244\.1\.21\/32 -m comment --comment "rule to jump traffic destined to POD name:b namespace: y to chain (KUBE-POD-FW-[A-Z2-7]{16})" -j \1/,
    );
    expect(text).toMatch(
      /-A KUBE-NWPLCY-[A-Z2-7]{16} -p tcp -m comment --comment "rule to ACCEPT .*" -m set --match-set KUBE-DST-[A-Z2-7]{16} dst -m set --match-set KUBE-SRC-[A-Z2-7]{16} src -m tcp --dport 80 -j MARK --set-xmark 0x10000\/0x10000/,
    );
    expect(text).toMatch(
      /-A KUBE-POD-FW-\w+ .*"rule to DROP traffic destined .*" -m mark ! --mark 0x10000\/0x10000 -j DROP/,
    );
    const sets = [...world.cluster.node(1).rules.ipv4.ipSets()].filter(([name]) => name.startsWith('KUBE-'));
    expect(sets.map(([name, { type }]) => `${name.slice(0, 9)} ${type}`).sort()).toEqual([
      'KUBE-DST- hash:ip',
      'KUBE-SRC- hash:ip',
    ]);
  });

  it('has nothing where no policy selects a pod', () => {
    world.apply([]);
    expect(saved()).not.toMatch(/KUBE-ROUTER|KUBE-POD-FW|KUBE-NWPLCY/);
  });

  it('the node reaches its pods, and a pod itself, whatever is refused', () => {
    world.apply([policy('y', 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] })]);
    const server = podNamed('y/b');
    expect(world.cluster.ask(world.cluster.node(1).root, server.ip, 80).answer).toContain('heard');
    expect(world.cluster.ask(world.host(podNamed('x/a')), server.ip, 80).answer).toBeNull();
  });
});
