/** A real UDP socket whose clients each have a socket of their own in the emulated network, until they have been silent. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { PodNetwork, PodUdpSocket } from '../../shared/podnet/pod-network.ts';
import { bindOrMap } from './bind-socket.ts';
import type { Entrance } from './entrance.ts';
import type { OpenEntrance } from './tcp-entrance.ts';

/** As conntrack forgets a UDP flow with answers. */
const IDLE_MS = 120_000;
/** The client that was silent longest makes room. */
const MAX_CLIENTS = 4096;

interface Client {
  readonly inner: Promise<PodUdpSocket>;
  idle: NodeJS.Timeout;
}

export async function openUdpEntrance(entrance: Entrance, outside: PodNetwork): Promise<OpenEntrance> {
  const { realAddress, port } = entrance;
  let socket: Socket | undefined;
  const bound = await bindOrMap(port, async (wanted) => {
    socket = createSocket('udp4');
    socket.bind(wanted, realAddress);
    await once(socket, 'listening');
    return socket.address().port;
  });
  const clients = new UdpClients(socket!, entrance, outside); // bound above, or it threw
  return { bound, close: () => clients.close() };
}

class UdpClients {
  private readonly socket: Socket;
  private readonly entrance: Entrance;
  private readonly outside: PodNetwork;
  /** Longest silent first. */
  private readonly clients = new Map<string, Client>();

  constructor(socket: Socket, entrance: Entrance, outside: PodNetwork) {
    this.socket = socket;
    this.entrance = entrance;
    this.outside = outside;
    socket.on('message', (data, from) => void this.forward(data, from));
  }

  close(): void {
    this.socket.close();
    for (const key of [...this.clients.keys()]) this.forget(key);
  }

  private async forward(data: Uint8Array, from: RemoteInfo): Promise<void> {
    const key = `${from.address}:${from.port}`;
    const { inner } = this.clientOf(key, from);
    const { address, port } = this.entrance;
    try {
      await (await inner).send(data, port, address);
    } catch {
      // As on a real network: a datagram that cannot be delivered is lost, and the next one finds a new socket.
      this.forget(key);
    }
  }

  private clientOf(key: string, from: RemoteInfo): Client {
    const known = this.clients.get(key);
    if (known !== undefined) {
      clearTimeout(known.idle);
      this.clients.delete(key);
    } else if (this.clients.size >= MAX_CLIENTS) {
      this.forget(this.clients.keys().next().value ?? '');
    }
    const client = known ?? { inner: this.open(from), idle: this.idleTimer(key) };
    client.idle = this.idleTimer(key);
    this.clients.set(key, client);
    return client;
  }

  private async open(from: RemoteInfo): Promise<PodUdpSocket> {
    const { address, port } = this.entrance;
    const inner = await this.outside.bindUdp({ remote: { address, port } });
    inner.on('message', (data: Uint8Array) => this.socket.send(data, from.port, from.address));
    inner.on('error', () => this.forget(`${from.address}:${from.port}`));
    return inner;
  }

  private idleTimer(key: string): NodeJS.Timeout {
    const timer = setTimeout(() => this.forget(key), IDLE_MS);
    timer.unref();
    return timer;
  }

  private forget(key: string): void {
    const client = this.clients.get(key);
    if (client === undefined) return;
    this.clients.delete(key);
    clearTimeout(client.idle);
    client.inner.then(
      (inner) => inner.close(),
      () => undefined,
    );
  }
}
