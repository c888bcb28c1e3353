/**
 * The connections of weave's peers: one TCP connection between every two nodes, over the nodes' own network. A silent peer is given
 * up after the hold time, and connected to again.
 */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { Host } from '../../../shared/netstack/host.ts';
import { SocketError } from '../../../shared/netstack/socket-error.ts';
import type { TcpConnection } from '../../../shared/netstack/tcp/connection.ts';
import { FramedConnection } from '../framed-connection.ts';
import { decodeMeshMessage, encodeMeshMessage, MESH_PORT, type MeshMessage, meshFrameLength } from './gossip.ts';

export interface MeshOptions {
  readonly host: Host;
  /** Of this node (uint32). */
  readonly address: number;
  readonly name: string;
  readonly nickname: string;
  readonly holdUs: number;
  /** Connections came or went. */
  readonly changed: () => void;
  readonly received: (from: string, message: MeshMessage) => void;
}

export interface MeshTarget {
  readonly address: number;
  /** This side connected. */
  readonly outbound: boolean;
  /** Known while it is connected. */
  readonly name: string | undefined;
  readonly nickname: string | undefined;
}

interface Target {
  readonly address: number;
  readonly outbound: boolean;
  readonly alarm: Alarm;
  frames: FramedConnection | null;
  name: string | undefined;
  nickname: string | undefined;
  heardUs: number;
}

const RETRY_US = 1_000_000;
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
      frames: null,
      name: undefined,
      nickname: undefined,
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
    target.frames?.end();
    if (target.name !== undefined) this.options.changed();
  }

  list(): readonly MeshTarget[] {
    return [...this.targets.values()];
  }

  /** Names of those this peer is connected to. */
  get connected(): readonly string[] {
    return this.list().flatMap(({ name }) => name ?? []);
  }

  sendAll(message: MeshMessage): void {
    for (const name of this.connected) this.send(name, message);
  }

  send(name: string, message: MeshMessage): void {
    const target = [...this.targets.values()].find((candidate) => candidate.name === name);
    target?.frames?.send(encodeMeshMessage(message));
  }

  /** A heartbeat, or another try. */
  private tick(target: Target): void {
    const { engine } = this.options.host;
    const { holdUs } = this.options;
    if (target.frames !== null && engine.nowUs - target.heardUs > holdUs) this.lost(target);
    if (target.frames === null && target.outbound) this.connect(target);
    target.frames?.send(encodeMeshMessage({ kind: 'heartbeat' }));
    target.alarm.set(engine.nowUs + (target.name === undefined ? RETRY_US : holdUs / HEARTBEATS_A_HOLD));
  }

  private connect(target: Target): void {
    const { host, address } = this.options;
    try {
      const connection = host.tcp.connect({
        localAddress: address,
        remoteAddress: target.address,
        remotePort: MESH_PORT,
      });
      this.adopt(target, connection);
      connection.onEstablished = () => this.greet(target);
    } catch (error) {
      // No way to it now: the alarm tries again.
      if (!(error instanceof SocketError)) throw error;
    }
  }

  /** Only one side connects, so a second connection means that it gave up the first. */
  private accept(connection: TcpConnection): void {
    const target = this.targets.get(connection.remoteAddress);
    if (target === undefined) {
      connection.abort();
      return;
    }
    if (target.frames !== null) this.lost(target);
    this.adopt(target, connection);
    this.greet(target);
  }

  private adopt(target: Target, connection: TcpConnection): void {
    target.heardUs = this.options.host.engine.nowUs;
    target.frames = new FramedConnection(connection, {
      lengthOf: meshFrameLength,
      frame: (bytes) => this.take(target, bytes),
      closed: () => this.lost(target),
    });
  }

  private greet(target: Target): void {
    const { name, nickname } = this.options;
    target.frames?.send(encodeMeshMessage({ kind: 'hello', name, nickname }));
  }

  private take(target: Target, bytes: Uint8Array): void {
    const message = decodeMeshMessage(bytes);
    if (message === undefined) {
      this.lost(target);
      return;
    }
    target.heardUs = this.options.host.engine.nowUs;
    if (message.kind === 'hello') {
      target.name = message.name;
      target.nickname = message.nickname;
      this.options.changed();
    } else if (target.name !== undefined) this.options.received(target.name, message);
  }

  private lost(target: Target): void {
    target.frames?.end();
    target.frames = null;
    const wasConnected = target.name !== undefined;
    target.name = undefined;
    if (wasConnected) this.options.changed();
  }
}
