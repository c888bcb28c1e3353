/** The table of NetworkPolicies that packets are sent through: every kind of peer with every kind of port, and oddities. */
import type {
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from 'kubernetes-types/networking/v1.d.ts';
import { policy } from './policy-world.testkit.ts';

export interface PolicyCase {
  readonly name: string;
  readonly policies: readonly NetworkPolicy[];
}

export const PEERS: Readonly<Record<string, readonly NetworkPolicyPeer[] | undefined>> = {
  'no list': undefined,
  'an empty list': [],
  'pods of the namespace': [{ podSelector: {} }],
  'pod b of the namespace': [{ podSelector: { matchLabels: { pod: 'b' } } }],
  'all namespaces': [{ namespaceSelector: {} }],
  'namespaces of a team': [{ namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] } }],
  'pods b in namespace y': [
    { namespaceSelector: { matchLabels: { ns: 'y' } }, podSelector: { matchLabels: { pod: 'b' } } },
  ],
  'pods b anywhere, or all of y': [
    { namespaceSelector: {}, podSelector: { matchLabels: { pod: 'b' } } },
    { namespaceSelector: { matchLabels: { ns: 'y' } } },
  ],
  'pods that are not a, of namespaces without a team': [
    {
      namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'DoesNotExist' }] },
      podSelector: { matchExpressions: [{ key: 'pod', operator: 'NotIn', values: ['a'] }] },
    },
  ],
  'a block': [{ ipBlock: { cidr: '10.244.1.0/24' } }],
  'a block with exceptions': [{ ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.1.16/28', '10.244.2.30/32'] } }],
  'a block of IPv6 with exceptions': [
    { ipBlock: { cidr: 'fd00:10:244::/56', except: ['fd00:10:244:1::10/124', 'fd00:10:244:2::30/128'] } },
  ],
  'all of both families but one address each': [
    { ipBlock: { cidr: '0.0.0.0/0', except: ['10.244.1.11/32'] } },
    { ipBlock: { cidr: '::/0', except: ['fd00:10:244:1::21/128'] } },
  ],
  'one address, or pods c': [
    { ipBlock: { cidr: '10.244.1.31/32' } },
    { namespaceSelector: {}, podSelector: { matchExpressions: [{ key: 'pod', operator: 'In', values: ['c'] }] } },
  ],
};

export const PORT_LISTS: Readonly<Record<string, readonly NetworkPolicyPort[] | undefined>> = {
  'no list': undefined,
  'an empty list': [],
  'TCP 80': [{ protocol: 'TCP', port: 80 }],
  'all of UDP': [{ protocol: 'UDP' }],
  'TCP 81 and UDP 80': [{ port: 81 }, { protocol: 'UDP', port: 80 }],
  'the port web-tcp': [{ port: 'web-tcp' }],
  'UDP 81 to 90, and alt-tcp': [{ protocol: 'UDP', port: 81, endPort: 90 }, { port: 'alt-tcp' }],
};

const SUBJECTS = [
  {},
  { matchLabels: { pod: 'a' } },
  { matchExpressions: [{ key: 'pod', operator: 'In', values: ['b', 'c'] }] },
];
const DIRECTIONS = ['Ingress', 'Egress'] as const;

function crossed(): PolicyCase[] {
  let turn = 0;
  return DIRECTIONS.flatMap((direction) =>
    Object.entries(PEERS).flatMap(([peersName, peers]) =>
      Object.entries(PORT_LISTS).map(([portsName, ports]) => {
        const podSelector = SUBJECTS[turn++ % SUBJECTS.length]!;
        return {
          name: `${direction}: ${peersName}; ports: ${portsName}; subject ${JSON.stringify(podSelector)}`,
          policies: [policy('x', 'one', specOf(podSelector, direction, peers, ports))],
        };
      }),
    ),
  );
}

function specOf(
  podSelector: NetworkPolicySpec['podSelector'],
  direction: (typeof DIRECTIONS)[number],
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
): NetworkPolicySpec {
  const some = { peers: peers && [...peers], ports: ports && [...ports] };
  return direction === 'Ingress'
    ? { podSelector, policyTypes: ['Ingress'], ingress: [{ from: some.peers, ports: some.ports }] }
    : { podSelector, policyTypes: ['Egress'], egress: [{ to: some.peers, ports: some.ports }] };
}

const fromB = [{ podSelector: { matchLabels: { pod: 'b' } } }];
const a = { matchLabels: { pod: 'a' } };

const ODDITIES: readonly PolicyCase[] = [
  { name: 'no policy', policies: [] },
  { name: 'deny all in', policies: [policy('x', 'deny', { podSelector: {}, policyTypes: ['Ingress'] })] },
  { name: 'deny all out', policies: [policy('x', 'deny', { podSelector: {}, policyTypes: ['Egress'] })] },
  {
    name: 'deny all in and out, everywhere',
    policies: ['x', 'y', 'z'].map((namespace) =>
      policy(namespace, 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
    ),
  },
  { name: 'no types and no rules: ingress alone', policies: [policy('x', 'bare', { podSelector: {} })] },
  {
    name: 'no types, with egress rules: both',
    policies: [policy('x', 'both', { podSelector: a, egress: [{ to: fromB }] })],
  },
  {
    name: 'types name egress alone, with ingress rules that do not count',
    policies: [policy('x', 'odd', { podSelector: a, policyTypes: ['Egress'], ingress: [{ from: fromB }] })],
  },
  {
    name: 'an empty rule allows all',
    policies: [
      policy('x', 'deny', { podSelector: {}, policyTypes: ['Ingress'] }),
      policy('x', 'open', { podSelector: a, ingress: [{}] }),
    ],
  },
  {
    name: 'what one policy allows no other takes back',
    policies: [
      policy('x', 'http', { podSelector: a, ingress: [{ ports: [{ port: 80 }] }] }),
      policy('x', 'from-b', { podSelector: a, ingress: [{ from: fromB }] }),
      policy('x', 'deny', { podSelector: {}, policyTypes: ['Ingress'] }),
    ],
  },
  {
    name: 'egress allows what ingress refuses',
    policies: [
      policy('x', 'out', { podSelector: {}, policyTypes: ['Egress'], egress: [{}] }),
      policy('y', 'in', { podSelector: {}, policyTypes: ['Ingress'] }),
    ],
  },
  {
    name: 'both sides must allow',
    policies: [
      policy('x', 'out', {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ to: [{ namespaceSelector: { matchLabels: { ns: 'y' } } }] }],
      }),
      policy('y', 'in', {
        podSelector: a,
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ namespaceSelector: { matchLabels: { ns: 'x' } } }], ports: [{ port: 80 }] }],
      }),
    ],
  },
  {
    name: 'a selector that selects nobody',
    policies: [policy('x', 'nobody', { podSelector: { matchLabels: { pod: 'q' } }, policyTypes: ['Ingress'] })],
  },
  {
    name: 'a named port that no pod has',
    policies: [policy('x', 'named', { podSelector: {}, ingress: [{ ports: [{ port: 'nothing' }] }] })],
  },
  {
    name: 'a named port of another protocol',
    policies: [policy('x', 'named', { podSelector: {}, ingress: [{ ports: [{ port: 'web-tcp', protocol: 'UDP' }] }] })],
  },
  {
    name: 'several rules and several peers',
    policies: [
      policy('z', 'many', {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: fromB, ports: [{ port: 80 }] }, { from: [{ ipBlock: { cidr: '10.244.2.0/24' } }] }],
        egress: [
          { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.244.1.0/24'] } }], ports: [{ protocol: 'UDP' }] },
          { to: [{ namespaceSelector: {}, podSelector: a }], ports: [{ port: 'web-tcp' }, { port: 1, endPort: 80 }] },
        ],
      }),
    ],
  },
  {
    name: 'overlapping blocks of several policies',
    policies: [
      policy('y', 'wide', {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.1.0/24'] } }] }],
      }),
      policy('y', 'narrow', {
        podSelector: {},
        ingress: [{ from: [{ ipBlock: { cidr: '10.244.1.8/29' } }], ports: [{ protocol: 'UDP', port: 81 }] }],
      }),
    ],
  },
];

export const POLICY_CASES: readonly PolicyCase[] = [...crossed(), ...ODDITIES];
