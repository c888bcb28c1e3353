/**
 * What does not depend on Services: base chains, the maps in which Services are found, and the chains they lead to.
 *
 *   nat     prerouting, output -> services -> @service-ips, @service-nodeports -> service-* | external-* -> endpoint-* -> dnat
 *           postrouting -> masquerading
 *   filter  prerouting, output  (before dnat)  firewall-check -> @firewall-ips
 *           input, forward, output             -> @no-endpoint-services, @no-endpoint-nodeports: drop, or reject
 *           forward, output (after dnat)       cluster-ips-check: what is still addressed to a ClusterIP finds nothing there
 */
import type {
  NftChain,
  NftElements,
  NftHookName,
  NftKeyPart,
  NftMatch,
  NftRule,
  NftSet,
} from '../../../../shared/rules/nft.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';
import type { ProxyContext } from '../proxy-context.ts';

export const CLUSTER_IPS = 'cluster-ips';
const NODE_PORT_IPS = 'nodeport-ips';
export const NO_ENDPOINT_SERVICES = 'no-endpoint-services';
export const NO_ENDPOINT_NODE_PORTS = 'no-endpoint-nodeports';
export const FIREWALL_IPS = 'firewall-ips';
export const SERVICE_IPS = 'service-ips';
export const SERVICE_NODE_PORTS = 'service-nodeports';
export const MARK_FOR_MASQUERADE = 'mark-for-masquerade';
export const REJECT_CHAIN = 'reject-chain';

/** Bit 14, kube-proxy's default. */
const MASQUERADE_BIT = 0x4000;

const BEFORE_DNAT = -110;
const AFTER_DNAT = -90;
const DNAT = -100;
const SNAT = 100;

export function addressType(family: IpFamily): NftKeyPart {
  return family === 'ipv4' ? 'ipv4_addr' : 'ipv6_addr';
}

export function fixedSets(family: IpFamily): Readonly<Record<string, NftSet>> {
  const addresses = [addressType(family)] as const;
  const ports = ['inet_proto', 'inet_service'] as const;
  const services = [...addresses, ...ports] as const;
  return {
    [CLUSTER_IPS]: { kind: 'set', type: addresses, comment: 'Active ClusterIPs' },
    [NODE_PORT_IPS]: { kind: 'set', type: addresses, comment: 'IPs that accept NodePort traffic' },
    [NO_ENDPOINT_SERVICES]: {
      kind: 'map',
      type: services,
      comment: 'vmap to drop or reject packets to services with no endpoints',
    },
    [NO_ENDPOINT_NODE_PORTS]: {
      kind: 'map',
      type: ports,
      comment: 'vmap to drop or reject packets to service nodeports with no endpoints',
    },
    [FIREWALL_IPS]: {
      kind: 'map',
      type: services,
      comment: 'destinations that are subject to LoadBalancerSourceRanges',
    },
    [SERVICE_IPS]: { kind: 'map', type: services, comment: 'ClusterIP, ExternalIP and LoadBalancer IP traffic' },
    [SERVICE_NODE_PORTS]: { kind: 'map', type: ports, comment: 'NodePort traffic' },
  };
}

export function fixedElements({ node }: ProxyContext): Record<string, NftElements> {
  return { [NODE_PORT_IPS]: { add: [{ address: node.address }] } };
}

const isNew: NftMatch = { kind: 'new' };
const toNodePort: NftMatch = { kind: 'in-set', side: 'destination', set: NODE_PORT_IPS };

function filterChain(hook: NftHookName, priority: number, ...checks: readonly string[]): NftChain {
  return {
    hook: { type: 'filter', hook, priority },
    rules: checks.map((chain) => ({ matches: [isNew], statement: { kind: 'jump', chain } })),
  };
}

function natChain(hook: NftHookName, priority: number, chain: string): NftChain {
  return { hook: { type: 'nat', hook, priority }, rules: [{ statement: { kind: 'jump', chain } }] };
}

function lookUp(key: 'destination' | 'port', map: string, ...matches: readonly NftMatch[]): NftRule {
  return { matches, statement: { kind: 'vmap', key, map } };
}

export function fixedChains({ serviceCidr }: ProxyContext): Record<string, NftChain> {
  return {
    'filter-prerouting': filterChain('prerouting', BEFORE_DNAT, 'firewall-check'),
    'filter-input': filterChain('input', BEFORE_DNAT, 'nodeport-endpoints-check', 'service-endpoints-check'),
    'filter-forward': filterChain('forward', BEFORE_DNAT, 'service-endpoints-check', 'cluster-ips-check'),
    'filter-output': filterChain('output', BEFORE_DNAT, 'service-endpoints-check', 'firewall-check'),
    'filter-output-post-dnat': filterChain('output', AFTER_DNAT, 'cluster-ips-check'),
    'nat-prerouting': natChain('prerouting', DNAT, 'services'),
    'nat-output': natChain('output', DNAT, 'services'),
    'nat-postrouting': natChain('postrouting', SNAT, 'masquerading'),
    'nodeport-endpoints-check': { rules: [lookUp('port', NO_ENDPOINT_NODE_PORTS, toNodePort)] },
    'service-endpoints-check': { rules: [lookUp('destination', NO_ENDPOINT_SERVICES)] },
    'firewall-check': { rules: [lookUp('destination', FIREWALL_IPS)] },
    services: { rules: [lookUp('destination', SERVICE_IPS), lookUp('port', SERVICE_NODE_PORTS, toNodePort)] },
    masquerading: {
      rules: [
        { matches: [{ kind: 'unmarked', bits: MASQUERADE_BIT }], statement: { kind: 'return' } },
        { statement: { kind: 'mark', operation: '^', bits: MASQUERADE_BIT } },
        { statement: { kind: 'masquerade' } },
      ],
    },
    [MARK_FOR_MASQUERADE]: { rules: [{ statement: { kind: 'mark', operation: '|', bits: MASQUERADE_BIT } }] },
    [REJECT_CHAIN]: { rules: [{ statement: { kind: 'reject' } }] },
    'cluster-ips-check': {
      rules: [
        {
          matches: [{ kind: 'in-set', side: 'destination', set: CLUSTER_IPS }],
          statement: { kind: 'reject' },
          comment: 'Reject traffic to invalid ports of ClusterIPs',
        },
        {
          matches: [{ kind: 'address', side: 'destination', prefixes: [serviceCidr] }],
          statement: { kind: 'drop' },
          comment: 'Drop traffic to unallocated ClusterIPs',
        },
      ],
    },
  };
}
