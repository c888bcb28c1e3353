/** kube-proxy's own configuration: `config.conf` of the ConfigMap kube-proxy (KubeProxyConfiguration v1alpha1). */
import { parse } from 'yaml';
import { isJsonObject, type JsonObject } from '../../shared/api/object.ts';
import { SCHEDULERS, type Scheduler } from '../../shared/rules/ipvs.ts';

export interface ProxyConfiguration {
  readonly mode: string;
  /** Empty: not set. */
  readonly clusterCidr: string;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  /** `ipvs.scheduler`. */
  readonly scheduler: Scheduler;
  readonly minSyncPeriodMs: number;
  readonly syncPeriodMs: number;
  /** undefined: nothing is served. */
  readonly healthzBindAddress: BindAddress | undefined;
  readonly metricsBindAddress: BindAddress | undefined;
}

export interface BindAddress {
  readonly host: string;
  readonly port: number;
}

/** The text cannot be used: what is wrong where. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

const DEFAULT_MIN_SYNC_MS = 1000;
const DEFAULT_SYNC_MS = 30_000;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export function parseConfiguration(text: string): ProxyConfiguration {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    throw new ConfigurationError(`config.conf is not YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isJsonObject(document) || document.kind !== 'KubeProxyConfiguration') {
    throw new ConfigurationError('config.conf is not of the kind KubeProxyConfiguration');
  }
  const mode = textField(document, 'mode');
  const section = (name: string): JsonObject => {
    const value = document[name];
    return isJsonObject(value) ? value : {};
  };
  // Each mode has a section of its own.
  const own = mode === 'ipvs' || mode === 'nftables' ? mode : 'iptables';
  return {
    mode,
    clusterCidr: textField(document, 'clusterCIDR'),
    // The original reads it there for IPVS too.
    masqueradeAll: section(own === 'nftables' ? own : 'iptables').masqueradeAll === true,
    localhostNodePorts: section('iptables').localhostNodePorts !== false,
    scheduler: schedulerOf(section('ipvs')),
    minSyncPeriodMs: duration(own, section(own), 'minSyncPeriod', DEFAULT_MIN_SYNC_MS),
    syncPeriodMs: duration(own, section(own), 'syncPeriod', DEFAULT_SYNC_MS),
    healthzBindAddress: bindAddress(document, 'healthzBindAddress', { host: '0.0.0.0', port: 10_256 }),
    metricsBindAddress: bindAddress(document, 'metricsBindAddress', { host: '127.0.0.1', port: 10_249 }),
  };
}

function textField(document: JsonObject, field: string): string {
  const value = document[field] ?? '';
  if (typeof value !== 'string') throw new ConfigurationError(`${field} is ${JSON.stringify(value)}: expected a text`);
  return value;
}

/** `0.0.0.0:10256`, `[::]:10256`, or an address alone, whose port is the usual one. Port 0 turns it off. */
function bindAddress(document: JsonObject, field: string, usual: BindAddress): BindAddress | undefined {
  const text = textField(document, field);
  if (text === '') return usual;
  const form = /^(?:([\d.]+)|\[([\da-fA-F:]+)\])(?::(\d+))?$|^([\da-fA-F]*:[\da-fA-F:]+)$/;
  const [, ipv4, bracketed, digits, ipv6] = form.exec(text) ?? [];
  const host = ipv4 ?? bracketed ?? ipv6 ?? '';
  const port = digits === undefined ? usual.port : Number(digits);
  if (host === '' || port > 65_535) {
    throw new ConfigurationError(
      `${field} is ${JSON.stringify(text)}: expected an address and a port such as 0.0.0.0:10256`,
    );
  }
  return port === 0 ? undefined : { host, port };
}

function schedulerOf(ipvs: JsonObject): Scheduler {
  const value = ipvs.scheduler ?? '';
  if (value === '') return 'rr';
  const found = SCHEDULERS.find((scheduler) => scheduler === value);
  if (found === undefined) {
    throw new ConfigurationError(
      `ipvs.scheduler is ${JSON.stringify(value)}: expected one of ${SCHEDULERS.join(', ')}`,
    );
  }
  return found;
}

/** Go's durations: `1s`, `1m30s`, `100ms`, `0s`. */
function duration(name: string, document: JsonObject, field: string, defaultMs: number): number {
  const value = document[field] ?? undefined;
  if (value === undefined) return defaultMs;
  if (typeof value !== 'string' || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(value)) {
    throw new ConfigurationError(`${name}.${field} is ${JSON.stringify(value)}: expected a duration such as 1s`);
  }
  let totalMs = 0;
  for (const [, amount, unit] of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    totalMs += Number(amount) * (UNITS_MS[unit!] ?? 0);
  }
  return totalMs;
}
