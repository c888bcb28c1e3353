/** What `podwire up` was told and chose, kept so that the next start continues where this one ended. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isJsonObject, type JsonObject } from '../shared/api/object.ts';
import { CNI_BACKENDS, CNI_PLUGINS, type CniBackend, type CniPluginName } from '../shared/runtime/cni-plugins.ts';
import {
  AUTHORIZATION_MODES,
  type AuthorizationMode,
  DEFAULT_LOAD_BALANCER_POOL,
  IP_FAMILIES,
  type IpFamilies,
  POLICY_ESTABLISHED,
  type PolicyEstablished,
} from '../shared/runtime/config.ts';
import { INSTANCE_TYPES } from '../shared/runtime/instance-types.ts';
import { DEFAULT_MAX_PODS } from '../shared/runtime/node-block.ts';
import { UserError } from './user-error.ts';

export const TIMINGS = ['lab', 'kubernetes'] as const;
export type Timing = (typeof TIMINGS)[number];

export const PROXY_MODES = ['iptables', 'ipvs', 'nftables', 'ebpf'] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];

export interface ClusterSettings {
  readonly nodes: number;
  readonly cni: CniPluginName;
  /** One of the plugin's; undefined for `none`. */
  readonly cniBackend: CniBackend | undefined;
  /** What the plugin's daemon is told, by the names of its environment. */
  readonly cniSettings?: Readonly<Record<string, string>>;
  /** What EC2 machines the nodes stand for. */
  readonly instanceType?: string;
  /** Connections that a new policy forbids. */
  readonly policyEstablished: PolicyEstablished;
  readonly proxyMode: ProxyMode;
  /** First and last address. */
  readonly loadBalancerPool: string;
  readonly ipFamily: IpFamilies;
  /** Of each node. */
  readonly maxPods: number;
  readonly timing: Timing;
  readonly authorizationMode: AuthorizationMode;
  readonly apiservers: number;
  /** Of the first apiserver. */
  readonly apiPort: number;
  readonly natsPort: number;
  /** The x of 127.0.x.10 and up, the nodes' addresses; 0 where the system has only 127.0.0.1. */
  readonly addressBlock: number;
}

/** Undefined when there is no such file. A file that cannot be understood is an error that names it. */
export function readSettings(path: string): ClusterSettings | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return decodeSettings(JSON.parse(text));
  } catch {
    throw new UserError(`${path} is damaged: remove it, or the whole folder to begin with an empty cluster`);
  }
}

export function writeSettings(path: string, settings: ClusterSettings): void {
  const draft = `${path}.new`;
  writeFileSync(draft, `${JSON.stringify(settings, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

function decodeSettings(value: unknown): ClusterSettings {
  if (!isJsonObject(value)) throw new Error('not an object');
  return {
    nodes: wholeNumber(value, 'nodes'),
    cni: oneOf(value, 'cni', CNI_PLUGINS),
    // Of clusters from before there was a choice, and of those without a network.
    cniBackend: value.cniBackend === undefined ? undefined : oneOf(value, 'cniBackend', CNI_BACKENDS),
    ...(value.cniSettings === undefined ? {} : { cniSettings: texts(value, 'cniSettings') }),
    ...(value.instanceType === undefined ? {} : { instanceType: oneOf(value, 'instanceType', INSTANCE_TYPES) }),
    policyEstablished: oneOf({ policyEstablished: 'cut', ...value }, 'policyEstablished', POLICY_ESTABLISHED),
    proxyMode: oneOf(value, 'proxyMode', PROXY_MODES),
    loadBalancerPool: poolText({ loadBalancerPool: DEFAULT_LOAD_BALANCER_POOL, ...value }),
    ipFamily: oneOf({ ipFamily: 'ipv4', ...value }, 'ipFamily', IP_FAMILIES),
    maxPods: wholeNumber({ maxPods: DEFAULT_MAX_PODS, ...value }, 'maxPods'),
    timing: oneOf(value, 'timing', TIMINGS),
    // Clusters from before there was a choice do not say.
    authorizationMode: oneOf({ authorizationMode: 'AlwaysAllow', ...value }, 'authorizationMode', AUTHORIZATION_MODES),
    apiservers: wholeNumber({ apiservers: 1, ...value }, 'apiservers'),
    apiPort: wholeNumber(value, 'apiPort'),
    natsPort: wholeNumber(value, 'natsPort'),
    addressBlock: wholeNumber(value, 'addressBlock'),
  };
}

function poolText({ loadBalancerPool }: JsonObject): string {
  if (typeof loadBalancerPool !== 'string') throw new Error('loadBalancerPool is no text');
  return loadBalancerPool;
}

function texts(value: JsonObject, field: string): Readonly<Record<string, string>> {
  const object = value[field];
  if (!isJsonObject(object)) throw new Error(`${field} is no object`);
  return Object.fromEntries(Object.entries(object).map(([name, text]) => [name, String(text)]));
}

function wholeNumber(value: JsonObject, field: string): number {
  const number = value[field];
  if (typeof number !== 'number' || !Number.isInteger(number) || number < 0) throw new Error(`${field} is no number`);
  return number;
}

function oneOf<T extends string>(value: JsonObject, field: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value[field]);
  if (found === undefined) throw new Error(`${field} is unknown`);
  return found;
}
