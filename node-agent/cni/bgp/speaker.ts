/**
 * The BGP speaker of a node: a session with each peer of its AS (a full mesh: what one peer says is not told to others, RFC
 * 4271 section 9.2.1), over TCP port 179 of the node's own stack, and so over the emulated network of the nodes.
 *
 *   announce, withdraw -> UPDATE to every established peer
 *   UPDATE of a peer, the end of its session -> routes -> onChange
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { SocketError } from '../../../shared/netstack/socket-error.ts';
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import type { TcpListener } from '../../../shared/netstack/tcp/listener.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import { BGP_PORT, type PathAttributes, type UpdateMessage } from './message.ts';
import { BgpRoutes, type RouteChange } from './routes.ts';
import { BgpSession, prefixKey, type SessionAction, type SessionEvent } from './session.ts';
import { BgpTransport } from './transport.ts';

export interface SpeakerOptions {
  readonly host: Host;
  /** Of the node; its identifier too. */
  readonly address: number;
  readonly as: number;
  readonly holdTimeSeconds: number;
  readonly onChange: (change: RouteChange) => void;
}

export interface PeerStatus {
  readonly name: string;
  readonly address: number;
  readonly session: BgpSession;
  readonly sinceUs: number;
  readonly imported: number;
}

/** A prefix that is reached through this node. */
export interface Announcement {
  readonly prefix: IpPrefix;
  readonly sinceUs: number;
}

const LOCAL_PREFERENCE = 100;
/** Of one UPDATE: 600 prefixes of 5 bytes fit a message with room for the attributes. */
const PREFIXES_A_MESSAGE = 600;

interface Peer {
  readonly name: string;
  readonly address: number;
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

  constructor(options: SpeakerOptions) {
    this.options = options;
    this.listener = options.host.tcp.listen({ address: options.address, port: BGP_PORT });
    this.listener.onConnection = (connection) => this.accept(connection);
  }

  addPeer(name: string, address: number): void {
    if (this.peers.has(address)) return;
    const { as, address: own, holdTimeSeconds, host } = this.options;
    const session = new BgpSession({
      localAs: as,
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
    this.tellAll({ kind: 'update', withdrawn: [], reachable: [prefix], attributes: this.attributes() });
  }

  withdraw(prefix: IpPrefix): void {
    if (!this.announced.delete(prefixKey(prefix))) return;
    this.tellAll({ kind: 'update', withdrawn: [prefix], reachable: [], attributes: undefined });
  }

  status(): PeerStatus[] {
    return [...this.peers.values()].map(({ name, address, session, sinceUs }) => ({
      name,
      address,
      session,
      sinceUs,
      imported: this.routes.countOf(address),
    }));
  }

  get as(): number {
    return this.options.as;
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
    return this.routes.update(
      { from: address, peerIdentifier: session.peerIdentifier },
      update,
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

  private attributes(): PathAttributes {
    return { origin: 0, asPath: [], nextHop: this.options.address, localPreference: LOCAL_PREFERENCE };
  }

  private tellAll(update: UpdateMessage): void {
    for (const { session, transport } of this.peers.values()) {
      if (session.state === 'Established') transport?.send(update);
    }
  }

  private tellEverything({ transport }: Peer): void {
    const all = this.announcements.map(({ prefix }) => prefix);
    for (let i = 0; i < all.length; i += PREFIXES_A_MESSAGE) {
      const reachable = all.slice(i, i + PREFIXES_A_MESSAGE);
      transport?.send({ kind: 'update', withdrawn: [], reachable, attributes: this.attributes() });
    }
  }

  private changed(changes: readonly RouteChange[]): void {
    for (const change of changes) this.options.onChange(change);
  }
}
