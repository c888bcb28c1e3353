/** The host's own sockets with the shape of a pod's network: for `--listen`, so that `dig -p` reaches the server. */
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type {
  PodNetwork,
  PodTcpServer,
  PodTcpSocket,
  PodUdpSocket,
  SocketAddress,
  TcpConnectOptions,
  TcpListenOptions,
} from '../shared/podnet/pod-network.ts';

export class HostNetwork implements PodNetwork {
  private readonly host: string;

  /** Everything is bound to this address. */
  constructor(host: string) {
    this.host = host;
  }

  async connectTcp(options: TcpConnectOptions, signal?: AbortSignal): Promise<PodTcpSocket> {
    const socket = connect({ ...options, signal } as { host: string; port: number });
    await once(socket, 'connect');
    return asPodSocket(socket);
  }

  async listenTcp(options: TcpListenOptions): Promise<PodTcpServer> {
    const server = createServer({ allowHalfOpen: options.allowHalfOpen ?? false });
    server.listen(options.port, this.host, options.backlog);
    await once(server, 'listening');
    const adapted = new HostTcpServer(
      () => server.address() as { address: string; port: number },
      () => new Promise((closed) => server.close(() => closed())),
    );
    server.on('connection', (socket) => adapted.emit('connection', asPodSocket(socket)));
    return adapted;
  }

  async bindUdp(options: { readonly port?: number } = {}): Promise<PodUdpSocket> {
    const socket = createSocket('udp4');
    socket.bind(options.port ?? 0, this.host);
    await once(socket, 'listening');
    const adapted = new HostUdpSocket(
      () => socket.address(),
      (data, port, address) =>
        new Promise((sent, failed) =>
          socket.send(data, port, address, (error) => (error === null ? sent() : failed(error))),
        ),
      () => socket.close(),
    );
    socket.on('message', (data, from) => adapted.emit('message', data, { address: from.address, port: from.port }));
    socket.on('error', (error) => adapted.emit('error', error));
    return adapted;
  }

  ping(): Promise<never> {
    return Promise.reject(new Error('the host network has no ICMP sockets here'));
  }

  async addresses(): Promise<[]> {
    return [];
  }

  close(): void {
    // Listeners are closed one by one by their owners.
  }
}

/** A connected `net.Socket` has every member of the interface; its addresses are defined while it is connected. */
function asPodSocket(socket: Socket): PodTcpSocket {
  return socket as unknown as PodTcpSocket;
}

class HostTcpServer extends EventEmitter implements PodTcpServer {
  readonly address: () => SocketAddress;
  readonly close: () => Promise<void>;

  constructor(address: () => SocketAddress, close: () => Promise<void>) {
    super();
    this.address = address;
    this.close = close;
  }
}

class HostUdpSocket extends EventEmitter implements PodUdpSocket {
  readonly address: () => SocketAddress;
  readonly send: (data: Uint8Array, port: number, address: string) => Promise<void>;
  readonly close: () => void;

  constructor(address: () => SocketAddress, send: PodUdpSocket['send'], close: () => void) {
    super();
    this.address = address;
    this.send = send;
    this.close = close;
  }
}
