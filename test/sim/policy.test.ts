/**
 * Random policies, compiled and asked, against the oracle. `PODWIRE_POLICY_SEEDS=10000` runs as many seeds;
 * `PODWIRE_SEED=N` begins at that one, which a failure names.
 */
import type {
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { seededRandom } from '../../shared/runtime/random.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { PEERS, PORT_LISTS } from '../flow/policy-cases.testkit.ts';
import { allows, type OracleWorld } from '../flow/policy-oracle.testkit.ts';
import {
  addressOf,
  NAMESPACES,
  PORTS,
  PROTOCOLS,
  policy,
  programOf,
  WORLD_PODS,
} from '../flow/policy-world.testkit.ts';
import { randomClusterPolicies } from '../flow/random-cluster-policies.testkit.ts';

const SEEDS = Number(process.env.PODWIRE_POLICY_SEEDS ?? 2000);
const FIRST_SEED = Number(process.env.PODWIRE_SEED ?? 1);
const FAMILIES = ['ip', 'ipv6'] as const;
const PROTOCOL_NUMBERS = { TCP: 6, UDP: 17 };

describe('random policies', () => {
  it(`agree with the oracle, ${SEEDS} seeds from ${FIRST_SEED}`, { timeout: 600_000 }, () => {
    const engine = new PolicyEngine({ memory: new PacketMemory({ smallSlots: 1 }), isNodeAddress: () => false });
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const policies = randomPolicies(seed);
      engine.program(programOf(policies));
      expect(disagreements(engine, { namespaces: NAMESPACES, policies }), `PODWIRE_SEED=${seed}`).toEqual([]);
    }
  });
});

describe('random policies of all tiers', () => {
  it(`agree with the oracle, ${SEEDS} seeds from ${FIRST_SEED}`, { timeout: 600_000 }, () => {
    const engine = new PolicyEngine({ memory: new PacketMemory({ smallSlots: 1 }), isNodeAddress: () => false });
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const policies = randomPolicies(seed).slice(0, 2);
      const clusterPolicies = randomClusterPolicies(seed);
      engine.program(programOf(policies, undefined, clusterPolicies));
      const world = { namespaces: NAMESPACES, policies, clusterPolicies };
      expect(disagreements(engine, world), `PODWIRE_SEED=${seed}`).toEqual([]);
    }
  });
});

function disagreements(engine: PolicyEngine, world: OracleWorld): string[] {
  const wrong: string[] = [];
  for (const client of WORLD_PODS) {
    for (const server of WORLD_PODS) {
      for (const protocol of PROTOCOLS) {
        for (const port of PORTS) {
          for (const family of FAMILIES) {
            const wanted = allows(world, client, server, protocol, port, family);
            const [from, to] = [addressOf(client, family), addressOf(server, family)];
            const { egress, ingress } = engine.explain(from, to, PROTOCOL_NUMBERS[protocol], port);
            const got = (egress?.drop ?? null) === null && (ingress?.drop ?? null) === null;
            if (got !== wanted) wrong.push(`${client[family]} -> ${server[family]} ${protocol} ${port}: ${got}`);
          }
        }
      }
    }
  }
  return wrong;
}

function randomPolicies(seed: number): NetworkPolicy[] {
  const random = seededRandom(seed);
  const below = (bound: number): number => Math.floor(random.next() * bound);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const some = <T>(most: number, make: () => T): T[] => Array.from({ length: below(most + 1) }, make);

  const selector = () =>
    oneOf([
      {},
      { matchLabels: { pod: oneOf(['a', 'b', 'c']) } },
      { matchExpressions: [{ key: 'pod', operator: oneOf(['In', 'NotIn']), values: ['a', oneOf(['b', 'c'])] }] },
      { matchExpressions: [{ key: oneOf(['in-x', 'in-y']), operator: oneOf(['Exists', 'DoesNotExist']) }] },
    ]);
  const block = () => {
    const length = 20 + below(13);
    const address = `10.244.${oneOf([1, 2])}.${below(40)}`;
    const hole = `10.244.${oneOf([1, 2])}.${below(40)}/${Math.min(32, length + 1 + below(6))}`;
    return { cidr: `${address}/${length}`, except: random.next() < 0.5 ? [hole] : undefined };
  };
  const blockIpv6 = () => {
    const length = 48 + below(81);
    const address = (): string => `fd00:10:244:${oneOf([1, 2])}::${below(40)}`;
    const hole = `${address()}/${Math.min(128, length + 1 + below(20))}`;
    return { cidr: `${address()}/${length}`, except: random.next() < 0.5 ? [hole] : undefined };
  };
  const peers = () =>
    oneOf([...Object.values(PEERS), [{ ipBlock: block() }, { ipBlock: blockIpv6() }], [{ podSelector: selector() }]]);
  const ports = () =>
    oneOf([
      ...Object.values(PORT_LISTS),
      [{ protocol: oneOf(['TCP', 'UDP']), port: oneOf([79, 80, 81]), endPort: 81 }],
    ]);
  const mutable = <T>(list: readonly T[] | undefined): T[] | undefined => (list === undefined ? undefined : [...list]);
  const rule = () => ({ peers: mutable<NetworkPolicyPeer>(peers()), ports: mutable<NetworkPolicyPort>(ports()) });

  return Array.from({ length: 1 + below(5) }, (_, i) => {
    const spec: NetworkPolicySpec = {
      podSelector: selector(),
      policyTypes: oneOf([undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']]),
      ingress: some(3, rule).map((one) => ({ from: one.peers, ports: one.ports })),
      egress: some(3, rule).map((one) => ({ to: one.peers, ports: one.ports })),
    };
    return policy(oneOf(['x', 'y', 'z']), `p${i}`, spec);
  });
}
