/**
 * The files by which a pod resolves names: /etc/resolv.conf by its DNS policy, /etc/hosts with its own name and the
 * pod's host aliases, and its host name.
 * https://kubernetes.io/docs/concepts/services-networking/dns-pod-service/
 */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';

export interface ClusterDns {
  readonly serviceIp: string;
  readonly domain: string;
}

/** What the node itself uses: the content of `dnsPolicy: Default`. */
export interface NodeDns {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
}

/** The emulated underlay has no resolver: names of the outside do not exist there. */
export const NO_NODE_DNS: NodeDns = { nameservers: [], searches: [] };

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;

export function resolvConf(pod: Pod, cluster: ClusterDns, node: NodeDns): string {
  const base = baseResolver(pod, cluster, node);
  const config = pod.spec?.dnsConfig ?? {};
  const nameservers = unique([...base.nameservers, ...(config.nameservers ?? [])]).slice(0, MAX_NAMESERVERS);
  const searches = unique([...base.searches, ...(config.searches ?? [])]).slice(0, MAX_SEARCHES);
  const options = new Map(base.options);
  for (const option of config.options ?? []) options.set(option.name ?? '', option.value);
  const lines: string[] = [];
  if (searches.length > 0) lines.push(`search ${searches.join(' ')}`);
  lines.push(...nameservers.map((nameserver) => `nameserver ${nameserver}`));
  const shown = [...options].map(([name, value]) => (value === undefined ? name : `${name}:${value}`));
  if (shown.length > 0) lines.push(`options ${shown.join(' ')}`);
  return `${lines.join('\n')}\n`;
}

interface Resolver {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  readonly options: readonly (readonly [string, string | undefined])[];
}

function baseResolver(pod: Pod, cluster: ClusterDns, node: NodeDns): Resolver {
  const policy = pod.spec?.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return { nameservers: [], searches: [], options: [] };
  const clusterFirst = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec?.hostNetwork);
  if (!clusterFirst) return { nameservers: node.nameservers, searches: node.searches, options: [] };
  const namespace = pod.metadata?.namespace ?? 'default';
  const { domain } = cluster;
  return {
    nameservers: [cluster.serviceIp],
    searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...node.searches],
    options: [['ndots', '5']],
  };
}

/** The pod's host name: `spec.hostname`, else its name, cut to the 63 characters a host name may have. */
export function podHostname(pod: Pod, nodeName: string): string {
  if (pod.spec?.hostNetwork) return nodeName;
  const name = pod.spec?.hostname ?? pod.metadata?.name ?? '';
  return name.slice(0, 63).replace(/[-.]+$/, '');
}

/** `host.subdomain.namespace.svc.domain`, or undefined for a pod without a subdomain. */
export function podFqdn(pod: Pod, cluster: ClusterDns): string | undefined {
  const subdomain = pod.spec?.subdomain;
  if (!subdomain) return undefined;
  return `${podHostname(pod, '')}.${subdomain}.${pod.metadata?.namespace ?? 'default'}.svc.${cluster.domain}`;
}

/** The loopback names that every /etc/hosts has. */
const LOOPBACK_NAMES = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
];

/** Of a node, by its addresses. */
export function nodeHostsFile(nodeName: string, addresses: readonly string[]): string {
  return asText(nodeHosts(nodeName, addresses));
}

/** Of a pod; one of the host network is given its node's, as the kubelet mounts it. */
export function hostsFile(pod: Pod, podIps: readonly string[], nodeName: string, cluster: ClusterDns): string {
  const lines = pod.spec?.hostNetwork
    ? ['# Kubernetes-managed hosts file (host network).', ...nodeHosts(nodeName, podIps)]
    : ['# Kubernetes-managed hosts file.', ...LOOPBACK_NAMES, ...ownEntries(pod, podIps, nodeName, cluster)];
  const aliases = pod.spec?.hostAliases ?? [];
  if (aliases.length > 0) lines.push('', '# Entries added by HostAliases.');
  for (const alias of aliases) lines.push(`${alias.ip}\t${(alias.hostnames ?? []).join('\t')}`);
  return asText(lines);
}

function ownEntries(pod: Pod, podIps: readonly string[], nodeName: string, cluster: ClusterDns): string[] {
  const names = [podFqdn(pod, cluster), podHostname(pod, nodeName)].filter((name) => name !== undefined);
  return podIps.map((podIp) => `${podIp}\t${names.join('\t')}`);
}

function nodeHosts(nodeName: string, addresses: readonly string[]): string[] {
  return [...LOOPBACK_NAMES, ...addresses.map((address) => `${address}\t${nodeName}`)];
}

function asText(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
