/**
 * Random policies, compiled and asked, against the oracle: 10,000 seeds of each kind, and of each a sample of all connections
 * between pods, nodes and the outside. `PODWIRE_POLICY_SEEDS=100000` runs as many; `PODWIRE_SEED=N` begins at that one, which a
 * failure names.
 */
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import { describe, expect, it } from 'vitest';
import { PolicyEngine } from '../../node-agent/datapath/policy/policy-engine.ts';
import { type Random, seededRandom } from '../../shared/runtime/random.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { OracleClusterPolicy } from '../flow/cluster-policy-oracle.testkit.ts';
import { allows, type OraclePod } from '../flow/policy-oracle.testkit.ts';
import { addressOf, NAMESPACES, OTHER_ENDS, programOf, WORLD_PODS } from '../flow/policy-world.testkit.ts';
import { randomClusterPolicies } from '../flow/random-cluster-policies.testkit.ts';
import { randomPolicies } from '../flow/random-policies.testkit.ts';

const SEEDS = Number(process.env.PODWIRE_POLICY_SEEDS ?? 10_000);
const FIRST_SEED = Number(process.env.PODWIRE_SEED ?? 1);
/** Connections asked about under the policies of one seed. */
const SAMPLE = 100;

const ENDS = [...WORLD_PODS, ...OTHER_ENDS];
const FAMILIES = ['ip', 'ipv6'] as const;
const PROTOCOL_NUMBERS = { TCP: 6, UDP: 17, SCTP: 132 };
const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
const PORTS = [79, 80, 81, 82, 65_535];

class TwoNodes {
  private readonly engines = [1, 2].map((node) => {
    const own = OTHER_ENDS.filter((end) => end.node === node).flatMap((end) =>
      FAMILIES.map((family) => addressOf(end, family)),
    );
    const memory = new PacketMemory({ smallSlots: 1 });
    const engine = new PolicyEngine({ memory, isNodeAddress: (address) => own.includes(address) });
    const pods = WORLD_PODS.filter((pod) => pod.node === node);
    const here = new Set(pods.flatMap((pod) => FAMILIES.map((family) => addressOf(pod, family))));
    return { node, engine, here };
  });

  program(policies: readonly NetworkPolicy[], clusterPolicies: readonly OracleClusterPolicy[]): void {
    const program = programOf(policies, undefined, clusterPolicies);
    for (const { engine, here } of this.engines) {
      engine.program(new Map([...program].filter(([address]) => here.has(address))));
    }
  }

  /** As a packet is judged: where the client is, and where the server is. */
  passes(
    client: OraclePod,
    server: OraclePod,
    protocol: keyof typeof PROTOCOL_NUMBERS,
    port: number,
    family: 'ip' | 'ipv6',
  ) {
    const [from, to] = [addressOf(client, family), addressOf(server, family)];
    const onTheWay = this.engines.filter(({ node }) => node === client.node || node === server.node);
    return onTheWay.every(({ engine }) => {
      const { egress, ingress } = engine.explain(from, to, PROTOCOL_NUMBERS[protocol], port);
      return (egress?.drop ?? null) === null && (ingress?.drop ?? null) === null;
    });
  }
}

describe.each([
  ['NetworkPolicies', (seed: number) => ({ policies: randomPolicies(seed), clusterPolicies: [] })],
  [
    'policies of all tiers',
    (seed: number) => ({
      policies: randomPolicies(seed).slice(0, 2),
      clusterPolicies: randomClusterPolicies(seed),
    }),
  ],
] as const)('random %s', (_, policiesOf) => {
  it(`agree with the oracle, ${SEEDS} seeds from ${FIRST_SEED}`, { timeout: 600_000 }, () => {
    const nodes = new TwoNodes();
    for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
      const { policies, clusterPolicies } = policiesOf(seed);
      nodes.program(policies, clusterPolicies);
      const world = { namespaces: NAMESPACES, policies, clusterPolicies };
      const random = seededRandom(seed * 31 + 7);
      for (let i = 0; i < SAMPLE; i++) {
        const [client, server] = [oneOf(random, ENDS), oneOf(random, ENDS)];
        const [protocol, port] = [oneOf(random, PROTOCOLS), oneOf(random, PORTS)];
        const family = oneOf(random, FAMILIES);
        const wanted = allows(world, client, server, protocol, port, family);
        const got = nodes.passes(client, server, protocol, port, family);
        if (got === wanted) continue;
        expect.fail(
          `PODWIRE_SEED=${seed}: ${client[family]} -> ${server[family]} ${protocol} ${port}: ${got}, not ${wanted}`,
        );
      }
    }
    expect(SEEDS).toBeGreaterThan(0);
  });
});

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[Math.floor(random.next() * values.length)]!;
}
