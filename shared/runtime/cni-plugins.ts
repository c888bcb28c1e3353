/** The CNI plugins that a cluster may have, and what processes other than the node-agent must know of them. */

export type PolicyApi = 'policy.networking.k8s.io' | 'projectcalico.org' | 'cilium.io';

interface CniPluginTraits {
  /** Whether NetworkPolicies have an effect. */
  readonly enforcesPolicy: boolean;
  /** APIs of policies beyond NetworkPolicy that it brings along and enforces. */
  readonly policyApis?: readonly PolicyApi[];
  /** Whether pods can have IPv6 addresses, too. */
  readonly hasIpv6: boolean;
  /** How it can carry packets between nodes (`--cni-backend`); the first is its default. */
  readonly backends: readonly string[];
  /** The range of all pods, where it is another than the cluster's default. */
  readonly podCidr?: string;
}

const TRAITS = {
  flannel: { enforcesPolicy: false, hasIpv6: true, backends: ['vxlan', 'host-gw', 'wireguard', 'udp'] },
  canal: {
    enforcesPolicy: true,
    policyApis: ['policy.networking.k8s.io', 'projectcalico.org'],
    hasIpv6: true,
    backends: ['vxlan', 'host-gw', 'wireguard', 'udp'],
  },
  calico: {
    enforcesPolicy: true,
    policyApis: ['policy.networking.k8s.io', 'projectcalico.org'],
    hasIpv6: false,
    backends: ['ipip', 'ipip-cross-subnet', 'none', 'vxlan', 'vxlan-cross-subnet'],
  },
  cilium: {
    enforcesPolicy: true,
    policyApis: ['policy.networking.k8s.io', 'cilium.io'],
    hasIpv6: false,
    backends: ['vxlan', 'geneve', 'native', 'wireguard'],
  },
  'kube-router': { enforcesPolicy: true, hasIpv6: false, backends: ['ipip-cross-subnet', 'ipip', 'none'] },
  'aws-vpc': { enforcesPolicy: false, hasIpv6: false, backends: [] },
  azure: { enforcesPolicy: false, hasIpv6: false, backends: ['transparent', 'overlay'] },
  weave: { enforcesPolicy: true, hasIpv6: false, backends: ['fastdp', 'sleeve'], podCidr: '10.32.0.0/12' },
  bridge: { enforcesPolicy: false, hasIpv6: true, backends: [] },
  none: { enforcesPolicy: false, hasIpv6: true, backends: [] },
} as const satisfies Record<string, CniPluginTraits>;

export type CniPluginName = keyof typeof TRAITS;
export type CniBackend = (typeof TRAITS)[CniPluginName]['backends'][number];

export const CNI_PLUGINS = Object.keys(TRAITS) as readonly CniPluginName[];
export const CNI_BACKENDS: readonly CniBackend[] = [
  ...new Set(Object.values(TRAITS).flatMap(({ backends }) => backends)),
];

export function enforcesPolicy(plugin: CniPluginName): boolean {
  return TRAITS[plugin].enforcesPolicy;
}

/** None where it knows NetworkPolicy at most, as kube-router and weave. */
export function policyApisOf(plugin: CniPluginName): readonly PolicyApi[] {
  const traits: CniPluginTraits = TRAITS[plugin];
  return traits.policyApis ?? [];
}

/** On a Node: the plugin it has, which may have been installed into a cluster of `--cni none`. */
export const CNI_ANNOTATION = 'podwire.dev/cni';
/** What was installed on nodes: of several plugins one that enforces policies, if there is such. */
export function installedOn(
  nodes: readonly { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } }[],
): CniPluginName {
  const installed = nodes.map(({ metadata }) => metadata?.annotations?.[CNI_ANNOTATION]);
  const names = CNI_PLUGINS.filter((name) => installed.includes(name));
  return names.find(enforcesPolicy) ?? names[0] ?? 'none';
}

/** On a Node of calico: the backend it has. */
export const CALICO_ENCAPSULATION_ANNOTATION = 'podwire.dev/calico-encapsulation';

export function hasIpv6(plugin: CniPluginName): boolean {
  return TRAITS[plugin].hasIpv6;
}

/** Undefined for the cluster's default. */
export function podCidrOf(plugin: CniPluginName): string | undefined {
  const traits: CniPluginTraits = TRAITS[plugin];
  return traits.podCidr;
}

/** Of a plugin, its default first. */
export function backendsOf(plugin: CniPluginName): readonly CniBackend[] {
  return TRAITS[plugin].backends;
}

/** Of aws-vpc: the environment of its daemon that says how many addresses a node keeps at hand. */
export const WARM_TARGET_NAMES = ['WARM_ENI_TARGET', 'WARM_IP_TARGET', 'MINIMUM_IP_TARGET', 'MAX_ENI'] as const;
export type WarmTargetName = (typeof WARM_TARGET_NAMES)[number];
