/** IPVS' tables (ipvsadm(8), ipset(8)): virtual servers with their real ones, and the sets that its few chains ask. */
import type { IpPrefix } from '../wire/ip-address.ts';
import type { ServiceProtocol } from './service-key.ts';

export const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'dh', 'sed', 'nq', 'mh'] as const;
export type Scheduler = (typeof SCHEDULERS)[number];

export interface RealServer {
  /** uint32. */
  readonly address: number;
  readonly port: number;
  /** 0: no new connections (a backend that terminates). */
  readonly weight: number;
}

export interface VirtualServer {
  readonly protocol: ServiceProtocol;
  /** uint32; the node takes it as its own, on kube-ipvs0, unless it has it already. */
  readonly address: number;
  readonly port: number;
  readonly scheduler: Scheduler;
  /** A client stays with its real server for as long after its last connection. */
  readonly persistentSeconds?: number;
  readonly servers: readonly RealServer[];
}

export type VirtualServerId = Pick<VirtualServer, 'protocol' | 'address' | 'port'>;

export const IP_SET_TYPES = [
  'hash:ip',
  'hash:net',
  'hash:ip,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'bitmap:port',
] as const;
export type IpSetType = (typeof IP_SET_TYPES)[number];

export interface IpSetEntry {
  /** uint32. */
  readonly address?: number;
  readonly protocol?: ServiceProtocol;
  readonly port?: number;
  /** The third part of `hash:ip,port,ip` and `hash:ip,port,net`; all of `hash:net`. */
  readonly source?: IpPrefix;
  /** Of `hash:net`: its addresses are not in the set, unless a longer prefix says so. */
  readonly nomatch?: boolean;
}

export interface IpSetChange {
  readonly type: IpSetType;
  readonly add?: readonly IpSetEntry[];
  readonly remove?: readonly IpSetEntry[];
}

export interface IpvsChange {
  /** Made, or changed; of a server that stays the connections and counters stay too. */
  readonly set?: readonly VirtualServer[];
  readonly delete?: readonly VirtualServerId[];
  readonly ipSets?: Readonly<Record<string, IpSetChange>>;
}
