/** NetworkPolicies drawn from a seed: peers and ports of the table, and others of every kind that the API has. */
import type {
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import { seededRandom } from '../../shared/runtime/random.ts';
import { PEERS, PORT_LISTS } from './policy-cases.testkit.ts';
import { policy } from './policy-world.testkit.ts';

export function randomPolicies(seed: number): NetworkPolicy[] {
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
  const namespaces = () =>
    oneOf([
      {},
      { matchLabels: { ns: oneOf(['x', 'y', 'z']) } },
      { matchExpressions: [{ key: 'team', operator: oneOf(['Exists', 'DoesNotExist']) }] },
      { matchExpressions: [{ key: 'team', operator: oneOf(['In', 'NotIn']), values: ['red'] }] },
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
  /** Of nodes and of the outside; the whole of both families, without some. */
  const widerBlock = () =>
    oneOf([
      { cidr: `192.168.1.${oneOf([0, 10, 11])}/${24 + below(9)}` },
      { cidr: '203.0.113.0/24', except: oneOf([undefined, [`203.0.113.${below(16)}/${28 + below(5)}`]]) },
      { cidr: '0.0.0.0/0', except: ['10.244.0.0/16', '192.168.1.10/32'].slice(below(3)) },
      { cidr: `fd00:192:168:1::/${64 + below(65)}` },
      { cidr: '::/0', except: ['fd00:10:244::/56', '2001:db8::/32'].slice(below(3)) },
    ]);
  const peer = (): NetworkPolicyPeer =>
    oneOf([
      () => ({ podSelector: selector() }),
      () => ({ namespaceSelector: namespaces() }),
      () => ({ namespaceSelector: namespaces(), podSelector: selector() }),
      () => ({ ipBlock: oneOf([block, blockIpv6, widerBlock])() }),
    ])();
  const peers = () => oneOf([...Object.values(PEERS), [peer()], [peer(), peer()], [peer(), peer(), peer()]]);
  const port = (): NetworkPolicyPort => {
    const protocol = oneOf([undefined, 'TCP', 'UDP', 'SCTP']);
    const first = oneOf([1, 79, 80, 81, 82]);
    return oneOf([
      { protocol, port: first },
      { protocol, port: first, endPort: oneOf([first, 82, 65_535]) },
      { protocol },
      { protocol, port: oneOf(['web-tcp', 'alt-udp', 'web-sctp', 'nothing']) },
    ]);
  };
  const ports = () => oneOf([...Object.values(PORT_LISTS), [port()], [port(), port()]]);
  const mutable = <T>(list: readonly T[] | undefined): T[] | undefined => (list === undefined ? undefined : [...list]);
  const rule = () => ({ peers: mutable(peers()), ports: mutable(ports()) });

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
