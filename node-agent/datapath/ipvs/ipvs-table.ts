/**
 * IPVS on a node: virtual servers in a hash table, so that the number of Services costs a packet nothing. It hangs in INPUT
 * (the addresses of Services are the node's own there, on kube-ipvs0) and in OUTPUT; what it translated goes on to
 * POSTROUTING without passing FORWARD.
 */
import type {
  IpvsChange,
  RealServer as RealServerConfig,
  VirtualServer as VirtualServerConfig,
  VirtualServerId,
} from '../../../shared/rules/ipvs.ts';
import { protocolNumber, serviceKey } from '../../../shared/rules/service-key.ts';
import { IpSet } from './ip-set.ts';
import { RealServer } from './real-server.ts';
import { makeSchedule, type Schedule } from './scheduler.ts';

const SECOND_US = 1_000_000;
/** Clients that one virtual server remembers; who was seen longest ago goes first. */
const MAX_PERSISTENT_CLIENTS = 65_536;

export class VirtualServer {
  config: VirtualServerConfig;
  servers: RealServer[] = [];
  private schedule: Schedule = () => null;
  /** Where a persistent client stays and until when, by address. */
  private readonly clients = new Map<number, { readonly server: RealServer; readonly untilUs: number }>();

  constructor(config: VirtualServerConfig) {
    this.config = config;
    this.update(config);
  }

  /** Servers that stay keep their connections. */
  update(config: VirtualServerConfig): void {
    const present = new Map(this.servers.map((server) => [serverKey(server), server]));
    const same = this.config.scheduler === config.scheduler && sameServers(this.config.servers, config.servers);
    this.config = config;
    if (same && this.servers.length > 0) return;
    this.servers = config.servers.map((wanted) => {
      const server = present.get(serverKey(wanted)) ?? new RealServer(wanted);
      server.weight = wanted.weight;
      return server;
    });
    this.schedule = makeSchedule(config.scheduler, this.servers);
  }

  /** For a new connection of a client (uint32); null when there is no server to take it. */
  choose(client: number, nowUs: number): RealServer | null {
    const { persistentSeconds, address } = this.config;
    if (persistentSeconds === undefined) return this.schedule(client, address);
    const known = this.clients.get(client);
    const stays = known !== undefined && known.untilUs > nowUs && this.takes(known.server);
    const server = stays ? known.server : this.schedule(client, address);
    if (server !== null) this.remember(client, server, nowUs + persistentSeconds * SECOND_US, nowUs);
    return server;
  }

  visitAddresses(visit: (address: number) => void): void {
    visit(this.config.address);
    for (const { address } of this.servers) visit(address);
    for (const [client, { server }] of this.clients) {
      visit(client);
      visit(server.address);
    }
  }

  private takes(server: RealServer): boolean {
    return server.weight > 0 && this.servers.includes(server);
  }

  private remember(client: number, server: RealServer, untilUs: number, nowUs: number): void {
    this.clients.delete(client);
    for (const [oldest, seen] of this.clients) {
      if (seen.untilUs > nowUs && this.clients.size < MAX_PERSISTENT_CLIENTS) break;
      this.clients.delete(oldest);
    }
    this.clients.set(client, { server, untilUs });
  }
}

export class IpvsTable {
  readonly sets = new Map<string, IpSet>();
  /** Counts the changes of `addresses`. */
  addressGeneration = 0;
  private readonly virtualServers = new Map<number, VirtualServer>();
  /** How many virtual servers have each address. */
  private readonly addressUsers = new Map<number, number>();

  apply({ set = [], delete: gone = [], ipSets = {} }: IpvsChange): void {
    for (const id of gone) {
      if (this.virtualServers.delete(idKey(id))) this.useAddress(id.address, -1);
    }
    for (const config of set) {
      const present = this.virtualServers.get(idKey(config));
      if (present !== undefined) present.update(config);
      else {
        this.virtualServers.set(idKey(config), new VirtualServer(config));
        this.useAddress(config.address, 1);
      }
    }
    for (const [name, change] of Object.entries(ipSets)) {
      const ipSet = this.sets.get(name) ?? new IpSet(change.type);
      this.sets.set(name, ipSet);
      ipSet.change(change);
    }
  }

  find(address: number, protocol: number, port: number): VirtualServer | undefined {
    return this.virtualServers.get(serviceKey(address, protocol, port));
  }

  /** In the order in which ipvsadm lists them: by protocol, address and port. */
  list(): VirtualServer[] {
    const order = (a: VirtualServer, b: VirtualServer): number =>
      a.config.protocol.localeCompare(b.config.protocol) ||
      a.config.address - b.config.address ||
      a.config.port - b.config.port;
    return [...this.virtualServers.values()].sort(order);
  }

  /** Of all virtual servers. */
  addresses(): IterableIterator<number> {
    return this.addressUsers.keys();
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const virtual of this.virtualServers.values()) virtual.visitAddresses(visit);
    for (const set of this.sets.values()) set.visitAddresses(visit);
  }

  private useAddress(address: number, by: 1 | -1): void {
    const users = (this.addressUsers.get(address) ?? 0) + by;
    if (users === 0 || (users === 1 && by === 1)) this.addressGeneration++;
    if (users === 0) this.addressUsers.delete(address);
    else this.addressUsers.set(address, users);
  }
}

function idKey({ protocol, address, port }: VirtualServerId): number {
  return serviceKey(address, protocolNumber(protocol), port);
}

function serverKey({ address, port }: { readonly address: number; readonly port: number }): number {
  return address * 0x1_0000 + port;
}

function sameServers(a: readonly RealServerConfig[], b: readonly RealServerConfig[]): boolean {
  return (
    a.length === b.length &&
    a.every((server, i) => serverKey(server) === serverKey(b[i]!) && server.weight === b[i]!.weight)
  );
}
