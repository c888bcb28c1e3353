/** Cluster-wide policies of all three kinds, drawn from a seed; priorities differ, as equal ones are undefined. */
import { seededRandom } from '../../shared/runtime/random.ts';
import type { OracleClusterPolicy } from './cluster-policy-oracle.testkit.ts';

const MOST_POLICIES = 5;
const MOST_RULES = 4;

export function randomClusterPolicies(seed: number): OracleClusterPolicy[] {
  const random = seededRandom(seed * 7919);
  const below = (bound: number): number => Math.floor(random.next() * bound);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  const some = <T>(least: number, most: number, make: () => T): T[] =>
    Array.from({ length: least + below(most - least + 1) }, make);

  const namespaces = () =>
    oneOf([
      {},
      { matchLabels: { ns: oneOf(['x', 'y', 'z']) } },
      { matchExpressions: [{ key: 'team', operator: oneOf(['Exists', 'DoesNotExist']) }] },
    ]);
  const pods = () => oneOf([{}, { matchLabels: { pod: oneOf(['a', 'b', 'c']) } }]);
  const selection = () =>
    oneOf([{ namespaces: namespaces() }, { pods: { namespaceSelector: namespaces(), podSelector: pods() } }]);
  const network = () =>
    oneOf([
      '0.0.0.0/0',
      '::/0',
      '192.168.1.0/24',
      '203.0.113.0/28',
      `10.244.${oneOf([1, 2])}.${below(40)}/${24 + below(9)}`,
      `fd00:10:244:${oneOf([1, 2])}::${below(40)}/${64 + below(65)}`,
    ]);
  const protocol = () => oneOf(['TCP', 'UDP', 'SCTP']);
  const port = () => oneOf([1, 79, 80, 81]);
  const last = () => oneOf([81, 82, 65_535]);
  const name = () => oneOf(['web-tcp', 'alt-udp', 'web-sctp', 'nothing']);
  const nodes = () =>
    oneOf([
      {},
      { matchLabels: { zone: oneOf(['one', 'two']) } },
      { matchExpressions: [{ key: 'role', operator: 'Exists' }] },
    ]);
  const adminPort = () =>
    oneOf([
      { portNumber: { protocol: protocol(), port: port() } },
      { portRange: { protocol: protocol(), start: port(), end: last() } },
      { namedPort: name() },
    ]);
  const clusterProtocol = () =>
    oneOf([
      { [protocol().toLowerCase()]: { destinationPort: { number: port() } } },
      { [protocol().toLowerCase()]: { destinationPort: { range: { start: port(), end: last() } } } },
      { [protocol().toLowerCase()]: {} },
      { destinationNamedPort: name() },
    ]);

  const beyondPods = () => oneOf([{ networks: some(1, 2, network) }, { nodes: nodes() }]);

  const rule = (kind: OracleClusterPolicy['kind'], direction: 'from' | 'to') => {
    const allow = kind === 'ClusterNetworkPolicy' ? 'Accept' : 'Allow';
    const actions = [allow, 'Deny', 'Pass'] as const;
    const action = oneOf(kind === 'BaselineAdminNetworkPolicy' ? actions.slice(0, 2) : actions);
    const peer = () => (direction === 'to' && below(3) === 0 ? beyondPods() : selection());
    const ports =
      kind === 'ClusterNetworkPolicy' ? { protocols: some(1, 2, clusterProtocol) } : { ports: some(1, 2, adminPort) };
    return { action, [direction]: some(1, 2, peer), ...(below(2) === 0 ? {} : ports) };
  };

  return Array.from({ length: 1 + below(MOST_POLICIES) }, (_, i): OracleClusterPolicy => {
    const kind = oneOf(['AdminNetworkPolicy', 'ClusterNetworkPolicy', 'ClusterNetworkPolicy'] as const);
    // The older API's one baseline policy has priority 0: the newer ones begin with 1.
    const tier = kind === 'ClusterNetworkPolicy' ? { tier: oneOf(['Admin', 'Baseline'] as const) } : {};
    const spec = {
      ...tier,
      priority: 1 + i,
      subject: selection(),
      ingress: some(0, MOST_RULES, () => rule(kind, 'from')),
      egress: some(0, MOST_RULES, () => rule(kind, 'to')),
    };
    return { kind, metadata: { name: `p${i}` }, spec };
  }).concat(below(2) === 0 ? [] : [baseline()]);

  function baseline(): OracleClusterPolicy {
    const kind = 'BaselineAdminNetworkPolicy';
    const rules = (direction: 'from' | 'to') => some(0, MOST_RULES, () => rule(kind, direction));
    return {
      kind,
      metadata: { name: 'default' },
      spec: { subject: selection(), ingress: rules('from'), egress: rules('to') },
    };
  }
}
