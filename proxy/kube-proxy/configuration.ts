/** What kube-proxy's ConfigMap says (KubeProxyConfiguration, kubeproxy.config.k8s.io/v1alpha1), as far as it has an effect here. */
import { isJsonObject } from '../../shared/api/object.ts';
import { type Ipv4Prefix, parseIpv4Prefix } from '../../shared/wire/address.ts';

export const MODES = ['iptables', 'ipvs', 'nftables', 'ebpf', 'kernelspace'] as const;
export type ProxyMode = (typeof MODES)[number];

export interface ProxyConfiguration {
  readonly mode: ProxyMode;
  readonly clusterCidr: Ipv4Prefix;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  /** At least so long between two syncs. */
  readonly minSyncPeriodMs: number;
  /** A sync at least so often. */
  readonly syncPeriodMs: number;
}

/** The configuration cannot be used: which field, its value, and what would do. */
export class ProxyConfigurationError extends Error {
  override readonly name = 'ProxyConfigurationError';
}

export interface ConfigurationDefaults {
  readonly mode: string;
  readonly clusterCidr: string;
}

const MIN_SYNC_PERIOD_MS = 100;
const SYNC_PERIOD_MS = 30_000;

/** `document`: the parsed YAML; undefined takes the defaults. */
export function decodeConfiguration(document: unknown, defaults: ConfigurationDefaults): ProxyConfiguration {
  const root = section(document, 'the configuration');
  const iptables = section(root.iptables, 'iptables');
  const cidr = text(root.clusterCIDR, defaults.clusterCidr);
  // Dual-stack lists its blocks; the IPv4 one comes in whatever place.
  const clusterCidr = cidr
    .split(',')
    .map(parseIpv4Prefix)
    .find((prefix) => prefix !== undefined);
  if (clusterCidr === undefined) throw bad('clusterCIDR', cidr, 'an IPv4 block such as 10.244.0.0/16');
  return {
    mode: modeOf(text(root.mode, defaults.mode)),
    clusterCidr,
    masqueradeAll: iptables.masqueradeAll === true,
    localhostNodePorts: iptables.localhostNodePorts !== false,
    minSyncPeriodMs: durationMs('iptables.minSyncPeriod', iptables.minSyncPeriod, MIN_SYNC_PERIOD_MS),
    syncPeriodMs: durationMs('iptables.syncPeriod', iptables.syncPeriod, SYNC_PERIOD_MS),
  };
}

function section(value: unknown, name: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (!isJsonObject(value)) throw bad(name, String(value), 'a mapping of fields');
  return value;
}

function text(value: unknown, fallback: string): string {
  return typeof value === 'string' && value !== '' ? value : fallback;
}

function modeOf(name: string): ProxyMode {
  const found = MODES.find((mode) => mode === name);
  if (found === undefined) throw bad('mode', name, `one of ${MODES.join(', ')}`);
  return found;
}

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function durationMs(name: string, value: unknown, fallbackMs: number): number {
  if (value === undefined || value === null || value === '0s') return fallbackMs;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(value) : null;
  const unitMs = UNITS_MS[match?.[2] ?? ''];
  if (match === null || unitMs === undefined) throw bad(name, String(value), 'a duration such as 30s');
  return Number(match[1]) * unitMs;
}

function bad(field: string, value: string, expected: string): ProxyConfigurationError {
  return new ProxyConfigurationError(`kube-proxy: ${field} is '${value}': expected ${expected}`);
}
