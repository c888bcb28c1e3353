/**
 * The environment by which a process of the cluster is configured. `compose.yaml` and `podwire up` set these variables;
 * every field here names its own. Durations are milliseconds, addresses are text.
 */

import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { CNI_BACKENDS, CNI_PLUGINS, type CniBackend, type CniPluginName } from './cni-plugins.ts';
import { DEFAULT_INSTANCE_TYPE, INSTANCE_TYPES } from './instance-types.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { DEFAULT_MAX_PODS, MOST_PODS_A_NODE } from './node-block.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A variable is missing or its value cannot be used; the message names the variable, the value and what would do. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export const DEFAULT_LOAD_BALANCER_POOL = '192.168.1.240-192.168.1.250';

/** What every process knows of its cluster. */
export interface ClusterConfig {
  /** PODWIRE_CLUSTER: the cluster's name. */
  readonly cluster: string;
  /** PODWIRE_NATS_URL */
  readonly natsUrl: string;
  /** PODWIRE_NATS_TOKEN, or what the file PODWIRE_NATS_TOKEN_FILE holds. */
  readonly natsToken: string | undefined;
  /** PODWIRE_STATE_DIR: the cluster's state folder; absent where a process keeps no state. */
  readonly stateDir: string | undefined;
  /** PODWIRE_LOG_LEVEL */
  readonly logLevel: LogLevel;
  /** PODWIRE_HEALTH_ADDRESS: where /healthz and /metrics are served; port 0 takes a free one. */
  readonly healthAddress: HostPort;
  /** PODWIRE_POD_CIDR */
  readonly podCidr: string;
  /** PODWIRE_MAX_PODS: how many pods a node takes; the size of its block follows. */
  readonly maxPods: number;
  /** PODWIRE_SERVICE_CIDR */
  readonly serviceCidr: string;
  /** Of a dual-stack cluster (PODWIRE_IP_FAMILY is `dual`); IPv4 comes first in all that has both. */
  readonly ipv6: ClusterIpv6Config | undefined;
  /** PODWIRE_DNS_IP: the ClusterIP of the cluster's DNS. */
  readonly dnsIp: string;
  /** PODWIRE_CLUSTER_DOMAIN */
  readonly clusterDomain: string;
  /** PODWIRE_CNI */
  readonly cni: CniPluginName;
  /** PODWIRE_CNI_BACKEND; undefined for the plugin's default. */
  readonly cniBackend: CniBackend | undefined;
  /** PODWIRE_CNI_SETTINGS: what the plugin's daemon is told, a JSON object of texts. */
  readonly cniSettings: Readonly<Record<string, string>>;
  /** PODWIRE_INSTANCE_TYPE: what EC2 machine a node stands for; undefined for none in particular. */
  readonly instanceType: string | undefined;
  /** PODWIRE_POLICY_ESTABLISHED: what becomes of connections that a new policy forbids. */
  readonly policyEstablished: PolicyEstablished;
  /** PODWIRE_PROXY_MODE */
  readonly proxyMode: string;
  /** PODWIRE_LOAD_BALANCER_POOL: the addresses for Services of type LoadBalancer, first and last. */
  readonly loadBalancerPool: string;
  /** PODWIRE_EGRESS: what of the machine the cluster may use on its own account; `host`: its name servers. */
  readonly egress: Egress;
  /** PODWIRE_NODE_LEASE_RENEW_MS: how often a node renews its Lease. */
  readonly nodeLeaseRenewMs: number;
  /** PODWIRE_NODE_GRACE_MS: how long a node may be silent before it is NotReady. */
  readonly nodeGraceMs: number;
  /** PODWIRE_EVICTION_AFTER_MS: the default tolerationSeconds of not-ready and unreachable. */
  readonly evictionAfterMs: number;
}

export interface ClusterIpv6Config {
  /** PODWIRE_POD_CIDR_IPV6 */
  readonly podCidr: string;
  /** PODWIRE_SERVICE_CIDR_IPV6: holds as many addresses as IPv4's block, or more. */
  readonly serviceCidr: string;
}

export const EGRESSES = ['none', 'host'] as const;
export type Egress = (typeof EGRESSES)[number];

export const IP_FAMILIES = ['ipv4', 'dual'] as const;
export type IpFamilies = (typeof IP_FAMILIES)[number];

export interface ApiServerConfig {
  /** PODWIRE_API_ADDRESS and PODWIRE_API_PORT: where HTTPS is served. */
  readonly listen: HostPort;
  /** PODWIRE_API_PKI_DIR: certificates and the admin token, made at first start. */
  readonly pkiDir: string;
  /** PODWIRE_API_AUTHORIZATION_MODE: who may do what over HTTPS. */
  readonly authorizationMode: AuthorizationMode;
  /** PODWIRE_API_SERVER_NUMBER: which of the cluster's apiservers this is, from 1. */
  readonly number: number;
}

export const MAX_API_SERVERS = 5;

export const POLICY_ESTABLISHED = ['cut', 'keep'] as const;
export type PolicyEstablished = (typeof POLICY_ESTABLISHED)[number];

export const AUTHORIZATION_MODES = ['AlwaysAllow', 'RBAC'] as const;
export type AuthorizationMode = (typeof AUTHORIZATION_MODES)[number];

export interface NodeConfig {
  /** PODWIRE_NODE_NAME */
  readonly nodeName: string;
  /** PODWIRE_NODE_INTERNAL_IP: the address in the emulated underlay. */
  readonly internalIp: string;
  /** PODWIRE_NODE_INTERNAL_IPV6: the same of a dual-stack cluster. */
  readonly internalIpv6: string | undefined;
  /** PODWIRE_NODE_BIND_ADDRESS: the real address that the node's sockets are bound to. */
  readonly bindAddress: string;
  /** PODWIRE_VXLAN_PORT: the real UDP port; 0 takes a free one. */
  readonly vxlanPort: number;
  /** PODWIRE_NODE_ADVERTISE: the real endpoint as other nodes reach it, where it differs from the bound one. */
  readonly advertise: HostPort | undefined;
  /** PODWIRE_IO_TIER: what carries the data path's datagrams; `auto` takes the fastest that works on this machine. */
  readonly ioTier: IoTierName;
  /** PODWIRE_IO_BATCHES: `off` when the real socket is captured, as a batch is one large datagram on loopback. */
  readonly ioBatches: boolean;
  /** PODWIRE_ALLOW_NETNS: `yes` when pods of the RuntimeClass `netns` may run programs of the machine as root. */
  readonly allowNetns: boolean;
  /** PODWIRE_ALLOW_HOST_PATH: folders that hostPath volumes may be, as PATH lists them; every other one is empty. */
  readonly allowedHostPaths: readonly string[];
}

export const IO_TIERS = ['dgram', 'gso', 'polled', 'auto'] as const;
export type IoTierName = (typeof IO_TIERS)[number];

/** What a component that runs in a pod (kube-proxy, CoreDNS) knows of that pod. */
export interface PodConfig {
  /** PODWIRE_PODNET_SOCKET: the Unix socket of the pod's network; absent for a component that sends no packets. */
  readonly podnetSocket: string | undefined;
  /** PODWIRE_NODE_NAME */
  readonly nodeName: string;
  /** PODWIRE_POD_NAME */
  readonly podName: string;
  /** PODWIRE_POD_NAMESPACE */
  readonly podNamespace: string;
  /** PODWIRE_POD_IP */
  readonly podIp: string;
}

export function readClusterConfig(environment: Environment): ClusterConfig {
  return {
    cluster: clusterName(environment, 'PODWIRE_CLUSTER'),
    natsUrl: text(environment, 'PODWIRE_NATS_URL', 'nats://127.0.0.1:4222'),
    natsToken: optionalText(environment, 'PODWIRE_NATS_TOKEN') ?? fileText(environment, 'PODWIRE_NATS_TOKEN_FILE'),
    stateDir: optionalText(environment, 'PODWIRE_STATE_DIR'),
    logLevel: oneOf(environment, 'PODWIRE_LOG_LEVEL', LOG_LEVELS, 'info'),
    healthAddress: hostPort(environment, 'PODWIRE_HEALTH_ADDRESS', '127.0.0.1:0'),
    podCidr: cidr(environment, 'PODWIRE_POD_CIDR', '10.244.0.0/16'),
    maxPods: wholeNumber(environment, 'PODWIRE_MAX_PODS', DEFAULT_MAX_PODS, 1, MOST_PODS_A_NODE),
    serviceCidr: cidr(environment, 'PODWIRE_SERVICE_CIDR', '10.96.0.0/12'),
    ipv6: readIpv6Config(environment),
    dnsIp: ipv4(environment, 'PODWIRE_DNS_IP', '10.96.0.10'),
    clusterDomain: text(environment, 'PODWIRE_CLUSTER_DOMAIN', 'cluster.local'),
    cni: oneOf(environment, 'PODWIRE_CNI', CNI_PLUGINS, 'flannel'),
    cniBackend: environment.PODWIRE_CNI_BACKEND
      ? oneOf(environment, 'PODWIRE_CNI_BACKEND', CNI_BACKENDS, 'vxlan')
      : undefined,
    cniSettings: texts(environment, 'PODWIRE_CNI_SETTINGS'),
    instanceType: environment.PODWIRE_INSTANCE_TYPE
      ? oneOf(environment, 'PODWIRE_INSTANCE_TYPE', INSTANCE_TYPES, DEFAULT_INSTANCE_TYPE)
      : undefined,
    policyEstablished: oneOf(environment, 'PODWIRE_POLICY_ESTABLISHED', POLICY_ESTABLISHED, 'cut'),
    proxyMode: text(environment, 'PODWIRE_PROXY_MODE', 'iptables'),
    loadBalancerPool: text(environment, 'PODWIRE_LOAD_BALANCER_POOL', DEFAULT_LOAD_BALANCER_POOL),
    egress: oneOf(environment, 'PODWIRE_EGRESS', EGRESSES, 'none'),
    nodeLeaseRenewMs: wholeNumber(environment, 'PODWIRE_NODE_LEASE_RENEW_MS', 1000, 1, MAX_DURATION_MS),
    nodeGraceMs: wholeNumber(environment, 'PODWIRE_NODE_GRACE_MS', 4000, 1, MAX_DURATION_MS),
    evictionAfterMs: wholeNumber(environment, 'PODWIRE_EVICTION_AFTER_MS', 5000, 0, MAX_DURATION_MS),
  };
}

function readIpv6Config(environment: Environment): ClusterIpv6Config | undefined {
  if (oneOf(environment, 'PODWIRE_IP_FAMILY', IP_FAMILIES, 'ipv4') === 'ipv4') return undefined;
  return {
    podCidr: ipv6Cidr(environment, 'PODWIRE_POD_CIDR_IPV6', 'fd00:10:244::/56'),
    serviceCidr: ipv6Cidr(environment, 'PODWIRE_SERVICE_CIDR_IPV6', 'fd00:10:96::/108'),
  };
}

export function readApiServerConfig(environment: Environment): ApiServerConfig {
  return {
    listen: {
      host: text(environment, 'PODWIRE_API_ADDRESS', '127.0.0.1'),
      port: wholeNumber(environment, 'PODWIRE_API_PORT', 6443, 0, MAX_PORT),
    },
    pkiDir: requiredText(environment, 'PODWIRE_API_PKI_DIR'),
    authorizationMode: oneOf(environment, 'PODWIRE_API_AUTHORIZATION_MODE', AUTHORIZATION_MODES, 'AlwaysAllow'),
    number: wholeNumber(environment, 'PODWIRE_API_SERVER_NUMBER', 1, 1, MAX_API_SERVERS),
  };
}

/** PODWIRE_IO_TIER, which CoreDNS on a port of the machine follows too. */
export function readIoTier(environment: Environment): IoTierName {
  return oneOf(environment, 'PODWIRE_IO_TIER', IO_TIERS, 'auto');
}

export function readNodeConfig(environment: Environment): NodeConfig {
  return {
    nodeName: requiredText(environment, 'PODWIRE_NODE_NAME'),
    internalIp: ipv4(environment, 'PODWIRE_NODE_INTERNAL_IP', undefined),
    internalIpv6: optionalIpv6(environment, 'PODWIRE_NODE_INTERNAL_IPV6'),
    bindAddress: ipv4(environment, 'PODWIRE_NODE_BIND_ADDRESS', '127.0.0.1'),
    vxlanPort: wholeNumber(environment, 'PODWIRE_VXLAN_PORT', 4789, 0, MAX_PORT),
    advertise: optionalHostPort(environment, 'PODWIRE_NODE_ADVERTISE'),
    ioTier: readIoTier(environment),
    ioBatches: oneOf(environment, 'PODWIRE_IO_BATCHES', ['on', 'off'], 'on') === 'on',
    allowNetns: oneOf(environment, 'PODWIRE_ALLOW_NETNS', ['yes', 'no'], 'no') === 'yes',
    allowedHostPaths: optionalText(environment, 'PODWIRE_ALLOW_HOST_PATH')?.split(':') ?? [],
  };
}

export function readPodConfig(environment: Environment): PodConfig {
  return {
    podnetSocket: optionalText(environment, 'PODWIRE_PODNET_SOCKET'),
    nodeName: requiredText(environment, 'PODWIRE_NODE_NAME'),
    podName: requiredText(environment, 'PODWIRE_POD_NAME'),
    podNamespace: requiredText(environment, 'PODWIRE_POD_NAMESPACE'),
    podIp: ipv4(environment, 'PODWIRE_POD_IP', undefined),
  };
}

const MAX_PORT = 65_535;
/** The longest delay that a Node timer takes. */
const MAX_DURATION_MS = 2 ** 31 - 1;
/** Names a folder, a NATS subject token and a stream. */
const CLUSTER_NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
const IPV4 = /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/;

/** One to forty of a-z, 0-9 and `-`, beginning and ending with a letter or digit. */
export function isClusterName(name: string): boolean {
  return CLUSTER_NAME.test(name);
}

function optionalText(environment: Environment, variable: string): string | undefined {
  const value = environment[variable];
  return value === undefined || value === '' ? undefined : value;
}

function text(environment: Environment, variable: string, fallback: string): string {
  return optionalText(environment, variable) ?? fallback;
}

/** Texts by name, as a JSON object. */
function texts(environment: Environment, variable: string): Readonly<Record<string, string>> {
  const value = text(environment, variable, '{}');
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    parsed = undefined;
  }
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const entries = isObject ? Object.entries(parsed as object) : [['', undefined] as const];
  if (entries.some(([, each]) => typeof each !== 'string')) throw bad(variable, value, 'a JSON object of texts');
  return Object.fromEntries(entries);
}

function requiredText(environment: Environment, variable: string): string {
  const value = optionalText(environment, variable);
  if (value === undefined) throw new ConfigError(`${variable} is not set`);
  return value;
}

/** The content of the file that the variable names, without white space at its ends. */
function fileText(environment: Environment, variable: string): string | undefined {
  const path = optionalText(environment, variable);
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(`${variable} is '${path}', which cannot be read: ${String(error)}`);
  }
}

function bad(variable: string, value: string, expected: string): ConfigError {
  return new ConfigError(`${variable} is '${value}': expected ${expected}`);
}

function clusterName(environment: Environment, variable: string): string {
  const value = text(environment, variable, 'podwire');
  if (!isClusterName(value)) throw bad(variable, value, 'up to 40 of a-z, 0-9 and -, such as podwire or lab-2');
  return value;
}

function oneOf<T extends string>(environment: Environment, variable: string, allowed: readonly T[], fallback: T): T {
  const value = text(environment, variable, fallback);
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw bad(variable, value, `one of ${allowed.join(', ')}`);
  return found;
}

function parseWholeNumber(value: string, minimum: number, maximum: number): number | undefined {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  return number >= minimum && number <= maximum ? number : undefined;
}

function wholeNumber(
  environment: Environment,
  variable: string,
  fallback: number,
  minimum: number,
  maximum: number,
): number {
  const value = optionalText(environment, variable);
  if (value === undefined) return fallback;
  const number = parseWholeNumber(value, minimum, maximum);
  if (number === undefined) throw bad(variable, value, `a whole number from ${minimum} to ${maximum}`);
  return number;
}

function ipv4(environment: Environment, variable: string, fallback: string | undefined): string {
  const value = fallback === undefined ? requiredText(environment, variable) : text(environment, variable, fallback);
  if (!IPV4.test(value)) throw bad(variable, value, 'an IPv4 address such as 192.168.1.10');
  return value;
}

function cidr(environment: Environment, variable: string, fallback: string): string {
  const value = text(environment, variable, fallback);
  const [address = '', length = ''] = value.split('/');
  if (!IPV4.test(address) || parseWholeNumber(length, 0, 32) === undefined) {
    throw bad(variable, value, 'an IPv4 block such as 10.244.0.0/16');
  }
  return value;
}

function optionalIpv6(environment: Environment, variable: string): string | undefined {
  const value = optionalText(environment, variable);
  if (value !== undefined && !isIPv6(value)) throw bad(variable, value, 'an IPv6 address such as fd00:192:168:1::10');
  return value;
}

function ipv6Cidr(environment: Environment, variable: string, fallback: string): string {
  const value = text(environment, variable, fallback);
  const [address = '', length = ''] = value.split('/');
  if (!isIPv6(address) || parseWholeNumber(length, 0, 128) === undefined) {
    throw bad(variable, value, 'an IPv6 block such as fd00:10:244::/56');
  }
  return value;
}

function optionalHostPort(environment: Environment, variable: string): HostPort | undefined {
  const value = optionalText(environment, variable);
  return value === undefined ? undefined : parseHostPort(variable, value);
}

function hostPort(environment: Environment, variable: string, fallback: string): HostPort {
  return parseHostPort(variable, text(environment, variable, fallback));
}

function parseHostPort(variable: string, value: string): HostPort {
  const separator = value.lastIndexOf(':');
  const port = parseWholeNumber(value.slice(separator + 1), 0, MAX_PORT);
  if (separator <= 0 || port === undefined) throw bad(variable, value, 'host:port such as 127.0.0.1:9000');
  return { host: value.slice(0, separator), port };
}
