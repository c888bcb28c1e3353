/**
 * The connections of weave's peers: one TCP connection between every two nodes, over the nodes' own network. A silent peer is given
 * up after the hold time, and connected to again; one that is refused is asked less and less often.
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { SocketError } from '../../../shared/netstack/socket-error.ts';
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import type { PeerCiphers } from '../../datapath/weave/packet-cipher.ts';
import type { OverlayName } from '../../datapath/weave/weave-peer.ts';
import { MESH_PORT, type MeshMessage } from './gossip.ts';
import { BAD_MESSAGE, MeshChannel } from './mesh-channel.ts';
import type { MeshPassword } from './session-keys.ts';

export interface MeshOptions {
  readonly host: Host;
  /** Of this node (uint32). */
  readonly address: number;
  readonly name: string;
  readonly nickname: string;
  readonly holdUs: number;
  /** Connections are encrypted, and refused to who has another one. */
  readonly password: MeshPassword | undefined;
  /** How packets may go between the peers, the best way first. */
  readonly overlays: readonly OverlayName[];
  readonly log: (line: string) => void;
  readonly opened: (connection: MeshConnection) => void;
  readonly closed: (connection: MeshConnection) => void;
  /** Now and then while a connection is open; true to be called again soon. */
  readonly beat: (connection: MeshConnection) => boolean;
  readonly received: (from: MeshConnection, message: MeshMessage) => void;
}

/** To a peer that has introduced itself. */
export interface MeshConnection {
  readonly name: string;
  readonly nickname: string;
  /** uint32 */
  readonly address: number;
  readonly outbound: boolean;
  readonly ciphers: PeerCiphers | null;
  /** That both sides know, the best first. */
  readonly overlays: readonly OverlayName[];
}

export interface MeshTarget {
  readonly address: number;
  /** This side connects. */
  readonly outbound: boolean;
  readonly connection: MeshConnection | null;
  /** Why the last connection ended. */
  readonly error: string | undefined;
  /** When the next one is tried. */
  readonly retryUs: number;
}

interface Target extends MeshTarget {
  readonly alarm: Alarm;
  channel: MeshChannel | null;
  connection: MeshConnection | null;
  error: string | undefined;
  retryUs: number;
  /** Until then. */
  pauseUs: number;
  heardUs: number;
}

const SOON_US = 500_000;
const FIRST_RETRY_US = 1_000_000;
const LAST_RETRY_US = 8_000_000;
const HEARTBEATS_A_HOLD = 3;

export class Mesh {
  private readonly options: MeshOptions;
  /** By address. */
  private readonly targets = new Map<number, Target>();

  constructor(options: MeshOptions) {
    this.options = options;
    const listener = options.host.tcp.listen({ address: options.address, port: MESH_PORT });
    listener.onConnection = (connection) => this.accept(connection);
  }

  addTarget(address: number): void {
    if (this.targets.has(address)) return;
    const { engine } = this.options.host;
    const target: Target = {
      address,
      // Only one side connects, so that connections never cross.
      outbound: this.options.address > address,
      alarm: new Alarm(engine, () => this.tick(target)),
      channel: null,
      connection: null,
      error: undefined,
      retryUs: engine.nowUs,
      pauseUs: FIRST_RETRY_US,
      heardUs: 0,
    };
    this.targets.set(address, target);
    this.tick(target);
  }

  removeTarget(address: number): void {
    const target = this.targets.get(address);
    if (target === undefined) return;
    this.targets.delete(address);
    target.alarm.dispose();
    this.drop(target);
  }

  list(): readonly MeshTarget[] {
    return [...this.targets.values()];
  }

  get connections(): readonly MeshConnection[] {
    return this.list().flatMap(({ connection }) => connection ?? []);
  }

  sendAll(message: MeshMessage): void {
    for (const { channel, connection } of this.targets.values()) if (connection !== null) channel?.send(message);
  }

  send(name: string, message: MeshMessage): void {
    const target = [...this.targets.values()].find(({ connection }) => connection?.name === name);
    target?.channel?.send(message);
  }

  /** Gives up a connection over which no packets go. */
  close({ address }: MeshConnection, error: string): void {
    const target = this.targets.get(address);
    if (target?.connection != null) this.lost(target, error);
  }

  /** A heartbeat, or another try. */
  private tick(target: Target): void {
    const { engine } = this.options.host;
    const { holdUs, beat } = this.options;
    if (target.channel !== null && engine.nowUs - target.heardUs > holdUs) this.lost(target, 'read: i/o timeout');
    if (target.channel === null && target.outbound && engine.nowUs >= target.retryUs) this.connect(target);
    const { connection } = target;
    if (connection === null) {
      target.alarm.set(target.channel === null && target.outbound ? target.retryUs : engine.nowUs + FIRST_RETRY_US);
      return;
    }
    target.channel?.send({ kind: 'heartbeat' });
    const isSoon = beat(connection) && target.connection === connection;
    target.alarm.set(engine.nowUs + (isSoon ? SOON_US : holdUs / HEARTBEATS_A_HOLD));
  }

  private connect(target: Target): void {
    const { host, address } = this.options;
    this.postpone(target);
    try {
      const connection = host.tcp.connect({
        localAddress: address,
        remoteAddress: target.address,
        remotePort: MESH_PORT,
      });
      const channel = this.adopt(target, connection);
      connection.onEstablished = () => channel.introduce();
    } catch (error) {
      // No way to it now: the alarm tries again.
      if (!(error instanceof SocketError)) throw error;
      target.error = 'dial tcp4: connect: network is unreachable';
    }
  }

  private postpone(target: Target): void {
    target.retryUs = this.options.host.engine.nowUs + target.pauseUs;
    target.pauseUs = Math.min(LAST_RETRY_US, target.pauseUs * 2);
  }

  /** Only one side connects, so a second connection means that it gave up the first. */
  private accept(connection: TcpConnection): void {
    const target = this.targets.get(connection.remoteAddress);
    if (target === undefined) {
      connection.abort();
      return;
    }
    if (target.channel !== null) this.lost(target, 'EOF');
    this.adopt(target, connection).introduce();
  }

  private adopt(target: Target, connection: TcpConnection): MeshChannel {
    target.heardUs = this.options.host.engine.nowUs;
    const { name, nickname, overlays, password } = this.options;
    const channel: MeshChannel = new MeshChannel(connection, password, {
      ready: () => channel.send({ kind: 'hello', name, nickname, overlays }),
      message: (message) => this.take(target, channel, message),
      closed: (error) => this.lost(target, error),
    });
    target.channel = channel;
    return channel;
  }

  private take(target: Target, channel: MeshChannel, message: MeshMessage): void {
    target.heardUs = this.options.host.engine.nowUs;
    if (target.connection === null && message.kind === 'hello') this.greeted(target, channel, message);
    else if (target.connection === null || message.kind === 'hello') this.lost(target, BAD_MESSAGE);
    else this.options.received(target.connection, message);
  }

  private greeted(target: Target, { ciphers }: MeshChannel, hello: MeshMessage & { kind: 'hello' }): void {
    const { address, outbound } = target;
    const { name, nickname } = hello;
    const overlays = this.options.overlays.filter((overlay) => hello.overlays.includes(overlay));
    target.connection = { name, nickname, address, outbound, ciphers, overlays };
    target.error = undefined;
    target.pauseUs = FIRST_RETRY_US;
    const title = connectionTitle(target.connection);
    this.options.log(`->[${title}]: connection ready; using protocol version 2`);
    this.options.opened(target.connection);
    this.tick(target);
  }

  private lost(target: Target, error: string): void {
    const { connection, channel } = target;
    const where =
      connection === null
        ? `->[${socketText(target.address)}] connection shutting down due to error during handshake`
        : `->[${connectionTitle(connection)}]: connection shutting down due to error`;
    if (channel !== null) this.options.log(`${where}: ${error}`);
    target.error = error;
    this.drop(target);
    if (target.outbound) target.alarm.set(target.retryUs);
  }

  private drop(target: Target): void {
    const { connection, channel } = target;
    target.connection = null;
    target.channel = null;
    channel?.end();
    if (connection !== null) this.options.closed(connection);
  }
}

/** `192.168.1.11:6783` */
export function socketText(address: number): string {
  return `${formatIpv4(address)}:${MESH_PORT}`;
}

/** `192.168.1.11:6783|7a:...(worker-2)` */
export function connectionTitle({ address, name, nickname }: MeshConnection): string {
  return `${socketText(address)}|${name}(${nickname})`;
}
