/**
 * The load balancer maps as sockets and packets meet them: one look-up by address, protocol and port. Sockets of the node and
 * of its pods are translated when they connect; packets from outside, and those of pods with a kernel of their own, where
 * they enter the node, and then conntrack goes on.
 */
import type { Verdict } from '../../../shared/netstack/hooks.ts';
import type { BpfBackend, BpfChange, BpfService, BpfServiceId } from '../../../shared/rules/bpf.ts';
import { protocolNumber, serviceKey } from '../../../shared/rules/service-key.ts';
import { formatEndpoint, isInNetwork } from '../../../shared/wire/ip-address.ts';
import type { Connection } from '../flow.ts';
import { maglevTable } from '../maglev.ts';
import { bindDestination } from '../nat.ts';

/** Cilium's default for `bpf-lb-maglev-table-size`. */
const MAGLEV_SIZE = 16_381;
const SECOND_US = 1_000_000;
/** Clients that one Service remembers; who was seen longest ago goes first. */
const MAX_CLIENTS = 65_536;

export interface BpfContext {
  readonly random: () => number;
  readonly nowUs: () => number;
  /** Of this node or another: where node ports are. */
  readonly isNodeAddress: (address: number) => boolean;
}

class Frontend {
  config: BpfService;
  /** For connections from outside; made with the first of them. */
  private maglev: Int32Array | null = null;
  private readonly clients = new Map<number, { readonly backend: BpfBackend; readonly untilUs: number }>();
  private readonly context: BpfContext;

  constructor(config: BpfService, context: BpfContext) {
    this.config = config;
    this.context = context;
  }

  update(config: BpfService): void {
    this.config = config;
    this.maglev = null;
  }

  /** By chance for sockets; by the client's address and port from outside, so that every node would choose alike. */
  choose(client: number, clientPort: number, fromOutside: boolean): BpfBackend | null {
    const backends = fromOutside ? this.config.external : this.config.internal;
    if (backends.length === 0) return null;
    const { affinitySeconds } = this.config;
    const draw = (): BpfBackend => (fromOutside ? this.hashed(client, clientPort) : this.drawn(backends));
    if (affinitySeconds === undefined) return draw();
    const nowUs = this.context.nowUs();
    const known = this.clients.get(client);
    const stays =
      known !== undefined &&
      known.untilUs > nowUs &&
      backends.some(({ address, port }) => address === known.backend.address && port === known.backend.port);
    const backend = stays ? known.backend : draw();
    this.remember(client, backend, nowUs + affinitySeconds * SECOND_US, nowUs);
    return backend;
  }

  private drawn(backends: readonly BpfBackend[]): BpfBackend {
    return backends[Math.floor(this.context.random() * backends.length)]!;
  }

  private hashed(client: number, clientPort: number): BpfBackend {
    const { external } = this.config;
    this.maglev ??= maglevTable(
      external.map((backend) => ({ ...backend, weight: 1 })),
      MAGLEV_SIZE,
    );
    const mixed = Math.imul(client ^ (clientPort << 16) ^ clientPort, 0x9e37_79b1);
    return external[this.maglev[((mixed ^ (mixed >>> 15)) >>> 0) % MAGLEV_SIZE]!]!;
  }

  visitAddresses(visit: (address: number) => void): void {
    const { address, internal, external, sourceRanges = [] } = this.config;
    visit(address);
    for (const backend of [...internal, ...external]) visit(backend.address);
    for (const range of sourceRanges) visit(range.address);
    for (const [client, seen] of this.clients) {
      visit(client);
      visit(seen.backend.address);
    }
  }

  private remember(client: number, backend: BpfBackend, untilUs: number, nowUs: number): void {
    this.clients.delete(client);
    for (const [oldest, seen] of this.clients) {
      if (seen.untilUs > nowUs && this.clients.size < MAX_CLIENTS) break;
      this.clients.delete(oldest);
    }
    this.clients.set(client, { backend, untilUs });
  }
}

export class BpfTable {
  private readonly frontends = new Map<number, Frontend>();
  private readonly context: BpfContext;

  constructor(context: BpfContext) {
    this.context = context;
  }

  apply({ set = [], delete: gone = [] }: BpfChange): void {
    for (const id of gone) this.frontends.delete(keyOf(id));
    for (const config of set) {
      const present = this.frontends.get(keyOf(config));
      if (present !== undefined) present.update(config);
      else this.frontends.set(keyOf(config), new Frontend(config, this.context));
    }
  }

  /** A new connection of a socket: null when the address is no Service's. */
  chooseForSocket(client: number, protocol: number, address: number, port: number): BpfBackend | 'unreachable' | null {
    const frontend = this.find(protocol, address, port);
    return frontend === undefined ? null : (frontend.choose(client, 0, false) ?? 'unreachable');
  }

  /** The first packet of a connection at a device. */
  translate(connection: Connection, fromOutside: boolean): Verdict {
    const { original, protocol } = connection;
    const frontend = this.find(protocol, original.destination >>> 0, original.destinationPort);
    if (frontend === undefined) return null;
    const { config } = frontend;
    const client = original.source >>> 0;
    const cause = `bpf lb ${formatEndpoint(original.destination >>> 0, config.port)}`;
    // Cilium's default for `bpf-lb-external-clusterip` is no.
    if (fromOutside && config.type === 'ClusterIP') return { code: 'bpf-cluster-ip', cause };
    if (fromOutside && !maySend(config, client)) return { code: 'bpf-source-range', cause };
    const backend = frontend.choose(client, original.sourcePort, fromOutside);
    if (backend === null) return { reject: 'port-unreachable', reason: { code: 'bpf-no-backend', cause } };
    bindDestination(connection, backend.address, backend.port);
    connection.masquerade = backend.address === client ? 'always' : fromOutside ? 'beyond-node' : 'never';
    return null;
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const frontend of this.frontends.values()) frontend.visitAddresses(visit);
  }

  list(): BpfService[] {
    return [...this.frontends.values()].map(({ config }) => config);
  }

  private find(protocol: number, address: number, port: number): Frontend | undefined {
    const exact = this.frontends.get(serviceKey(address, protocol, port));
    if (exact !== undefined || !this.context.isNodeAddress(address)) return exact;
    return this.frontends.get(serviceKey(0, protocol, port));
  }
}

function maySend({ sourceRanges }: BpfService, client: number): boolean {
  return sourceRanges?.some(({ address, prefixLength }) => isInNetwork(client, address, prefixLength)) ?? true;
}

function keyOf({ protocol, address, port }: BpfServiceId): number {
  return serviceKey(address, protocolNumber(protocol), port);
}
