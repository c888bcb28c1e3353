/**
 * The BGP speaker of a node: a session with each peer, over TCP port 179 of the node's own stack, and so over the emulated
 * network of the nodes. What one peer says is told to others as `advertise.ts` has it.
 *
 *   announce, withdraw -> UPDATE to every established peer
 *   UPDATE of a peer, the end of its session -> routes -> onChange, UPDATE to those who are to know
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { SocketError } from '../../../shared/netstack/socket-error.ts';
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import type { TcpListener } from '../../../shared/netstack/tcp/listener.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import { type Advertiser, isLoop, learnedAttributes, type Neighbour, ownAttributes } from './advertise.ts';
import { BGP_PORT, type PathAttributes, type UpdateMessage } from './message.ts';
import { BgpRoutes, type RouteChange } from './routes.ts';
import { BgpSession, prefixKey, type SessionAction, type SessionEvent } from './session.ts';
import { BgpTransport } from './transport.ts';

export interface SpeakerOptions {
  readonly host: Host;
  /** Of the node; its identifier too. */
  readonly address: number;
  /** Until `configure` says otherwise. */
  readonly as: number;
  readonly holdTimeSeconds: number;
  readonly onChange: (change: RouteChange) => void;
}

export interface PeerStatus {
  readonly name: string;
  readonly address: number;
  readonly session: BgpSession;
  readonly sinceUs: number;
  readonly as: number;
  readonly imported: number;
  readonly exported: number;
}

/** A prefix that is reached through this node. */
export interface Announcement {
  readonly prefix: IpPrefix;
  readonly sinceUs: number;
}

/** A peer as it is configured. */
export interface PeerOptions {
  readonly name: string;
  readonly address: number;
  /** This speaker's own by default. */
  readonly as?: number;
  /** Of this route reflector. */
  readonly isClient?: boolean;
}

/** Of one UPDATE: 600 prefixes of 5 bytes fit a message with room for the attributes. */
const PREFIXES_A_MESSAGE = 600;

interface Peer extends Neighbour {
  readonly name: string;
  readonly address: number;
  /** Prefixes that it was told are reached through here. */
  readonly told: Set<string>;
  readonly session: BgpSession;
  readonly alarms: Readonly<Record<'hold' | 'keepalive' | 'retry', Alarm>>;
  transport: BgpTransport | null;
  /** When the state changed last. */
  sinceUs: number;
}

export class BgpSpeaker {
  readonly routes = new BgpRoutes();
  private readonly options: SpeakerOptions;
  private readonly peers = new Map<number, Peer>();
  private readonly announced = new Map<string, Announcement>();
  private readonly listener: TcpListener;
  private own: Advertiser;

  constructor(options: SpeakerOptions) {
    this.options = options;
    this.own = { as: options.as, address: options.address, clusterId: undefined };
    this.listener = options.host.tcp.listen({ address: options.address, port: BGP_PORT });
    this.listener.onConnection = (connection) => this.accept(connection);
  }

  /** Sessions begin anew where that changes anything. */
  configure({ as, clusterId }: Pick<Advertiser, 'as' | 'clusterId'>): void {
    if (as === this.own.as && clusterId === this.own.clusterId) return;
    const peers = [...this.peers.values()];
    for (const { address } of peers) this.removePeer(address);
    this.own = { ...this.own, as, clusterId };
    for (const peer of peers) this.addPeer(peer);
  }

  /** Exactly these. */
  setPeers(wanted: readonly PeerOptions[]): void {
    const byAddress = new Map(wanted.map((peer) => [peer.address, peer] as const));
    for (const { address, name, as, isClient } of [...this.peers.values()]) {
      const peer = byAddress.get(address);
      const isSame = peer?.name === name && (peer.as ?? this.own.as) === as && (peer.isClient ?? false) === isClient;
      if (!isSame) this.removePeer(address);
    }
    for (const peer of wanted) this.addPeer(peer);
  }

  addPeer({ name, address, as = this.own.as, isClient = false }: PeerOptions): void {
    if (this.peers.has(address)) return;
    const { address: own, holdTimeSeconds, host } = this.options;
    const session = new BgpSession({
      localAs: this.own.as,
      peerAs: as,
      identifier: own,
      holdTimeSeconds,
      connects: own > address,
    });
    const alarm = (event: 'hold-timer' | 'keepalive-timer' | 'retry-timer') =>
      new Alarm(host.engine, () => this.handle(peer, { kind: event }));
    const peer: Peer = {
      name,
      address,
      as,
      isClient,
      told: new Set(),
      session,
      alarms: { hold: alarm('hold-timer'), keepalive: alarm('keepalive-timer'), retry: alarm('retry-timer') },
      transport: null,
      sinceUs: host.engine.nowUs,
    };
    this.peers.set(address, peer);
    this.handle(peer, { kind: 'start' });
  }

  removePeer(address: number): void {
    const peer = this.peers.get(address);
    if (peer === undefined) return;
    this.handle(peer, { kind: 'stop' });
    for (const alarm of Object.values(peer.alarms)) alarm.dispose();
    this.peers.delete(address);
  }

  /** Tells all peers that a prefix is reached through this node. */
  announce(prefix: IpPrefix): void {
    this.announced.set(prefixKey(prefix), { prefix, sinceUs: this.options.host.engine.nowUs });
    this.tellAll(prefix);
  }

  withdraw(prefix: IpPrefix): void {
    if (this.announced.delete(prefixKey(prefix))) this.tellAll(prefix);
  }

  status(): PeerStatus[] {
    return [...this.peers.values()].map(({ name, address, session, sinceUs, as, told }) => ({
      name,
      as,
      address,
      session,
      sinceUs,
      imported: this.routes.countOf(address),
      exported: told.size,
    }));
  }

  get as(): number {
    return this.own.as;
  }

  get announcements(): readonly Announcement[] {
    return [...this.announced.values()];
  }

  dispose(): void {
    for (const address of [...this.peers.keys()]) this.removePeer(address);
    this.listener.close();
  }

  private handle(peer: Peer, event: SessionEvent): void {
    const before = peer.session.state;
    const actions = peer.session.handle(event);
    if (peer.session.state !== before) peer.sinceUs = this.options.host.engine.nowUs;
    for (const action of actions) this.carryOut(peer, action);
  }

  private carryOut(peer: Peer, action: SessionAction): void {
    switch (action.kind) {
      case 'connect':
        this.connect(peer);
        break;
      case 'disconnect':
        peer.transport?.end();
        peer.transport = null;
        break;
      case 'send':
        peer.transport?.send(action.message);
        break;
      case 'timer':
        this.setTimer(peer.alarms[action.timer], action.afterMs);
        break;
      case 'established':
        this.tellEverything(peer);
        break;
      case 'down':
        this.changed(this.routes.forget(peer.address));
        break;
      case 'routes':
        this.changed(this.learn(peer, action.update));
        break;
    }
  }

  private learn({ address, session }: Peer, update: UpdateMessage): RouteChange[] {
    const { attributes, withdrawn, reachable } = update;
    const isRefused = attributes !== undefined && isLoop(this.own, attributes);
    return this.routes.update(
      { from: address, peerIdentifier: session.peerIdentifier },
      isRefused ? { ...update, withdrawn: [...withdrawn, ...reachable], reachable: [] } : update,
      this.options.host.engine.nowUs,
    );
  }

  private setTimer(alarm: Alarm, afterMs: number): void {
    if (afterMs === 0) alarm.clear();
    else alarm.set(this.options.host.engine.nowUs + afterMs * 1000);
  }

  private connect(peer: Peer): void {
    const { host, address } = this.options;
    try {
      const connection = host.tcp.connect({ localAddress: address, remoteAddress: peer.address, remotePort: BGP_PORT });
      this.adopt(peer, connection);
      connection.onEstablished = () => this.handle(peer, { kind: 'connected' });
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      this.handle(peer, { kind: 'disconnected' });
    }
  }

  /** Only the peer with the higher address connects, so a second connection means that it gave up the first. */
  private accept(connection: TcpConnection): void {
    const peer = this.peers.get(connection.remoteAddress);
    if (peer === undefined) {
      connection.abort();
      return;
    }
    if (peer.transport !== null) this.handle(peer, { kind: 'disconnected' });
    this.adopt(peer, connection);
    this.handle(peer, { kind: 'connected' });
  }

  private adopt(peer: Peer, connection: TcpConnection): void {
    peer.transport = new BgpTransport(connection, {
      message: (message) => this.handle(peer, { kind: 'message', message }),
      broken: (error) => this.handle(peer, { kind: 'broken', error }),
      closed: () => this.handle(peer, { kind: 'disconnected' }),
    });
  }

  private tellAll(prefix: IpPrefix): void {
    for (const peer of this.peers.values()) this.tell(peer, prefix);
  }

  /** What is to be known of a prefix now. */
  private tell(peer: Peer, prefix: IpPrefix): void {
    const { session, transport, told } = peer;
    if (session.state !== 'Established') return;
    const key = prefixKey(prefix);
    const attributes = this.attributesFor(peer, prefix);
    if (attributes !== undefined) {
      told.add(key);
      transport?.send({ kind: 'update', withdrawn: [], reachable: [prefix], attributes });
    } else if (told.delete(key)) {
      transport?.send({ kind: 'update', withdrawn: [prefix], reachable: [], attributes: undefined });
    }
  }

  private attributesFor(peer: Peer, prefix: IpPrefix): PathAttributes | undefined {
    if (this.announced.has(prefixKey(prefix))) return ownAttributes(this.own, peer);
    const route = this.routes.best(prefix);
    const from = route && this.peers.get(route.from);
    if (route === undefined || from === undefined || from === peer) return undefined;
    return learnedAttributes(this.own, route, from, peer);
  }

  private tellEverything(peer: Peer): void {
    peer.told.clear();
    const all = this.announcements.map(({ prefix }) => prefix);
    for (let i = 0; i < all.length; i += PREFIXES_A_MESSAGE) {
      const reachable = all.slice(i, i + PREFIXES_A_MESSAGE);
      for (const prefix of reachable) peer.told.add(prefixKey(prefix));
      peer.transport?.send({ kind: 'update', withdrawn: [], reachable, attributes: ownAttributes(this.own, peer) });
    }
    for (const [best] of this.routes.list()) {
      if (best !== undefined && !this.announced.has(prefixKey(best.prefix))) this.tell(peer, best.prefix);
    }
  }

  private changed(changes: readonly RouteChange[]): void {
    for (const change of changes) {
      this.options.onChange(change);
      this.tellAll(change.prefix);
    }
  }
}
