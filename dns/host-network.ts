/** The host's own sockets with the shape of a pod's network: for `--listen`, so that `dig -p` reaches the server. */
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, isIP, type Socket } from 'node:net';
import { BatchedUdpSocket, testBatchedUdp } from '../shared/native/batched-udp.ts';
import { loadNativeSockets, type NativeSockets } from '../shared/native/native-socket.ts';
import type {
  PodNetwork,
  PodTcpServer,
  PodTcpSocket,
  PodUdpSocket,
  SocketAddress,
  TcpConnectOptions,
  TcpListenOptions,
  UdpBindOptions,
} from '../shared/podnet/pod-network.ts';

export class HostNetwork implements PodNetwork {
  private readonly host: string;
  private readonly batches: NativeSockets | undefined;

  /** Everything is bound to this address; with sockets of our own, what hears anybody takes and sends datagrams in batches. */
  constructor(host: string, batches?: NativeSockets) {
    this.host = host;
    this.batches = batches;
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
    const close = server.close.bind(server);
    // Of a pod's server, `close` can be waited for; all else is `net.Server`'s own.
    return Object.assign(server as unknown as PodTcpServer, {
      close: async (closed?: (error?: Error) => void) => void close(closed),
    });
  }

  async bindUdp(options: UdpBindOptions = {}): Promise<HostUdpSocket> {
    const { port = 0, remote } = options;
    const family = isIP(remote?.address ?? options.address ?? this.host) === 6 ? 6 : 4;
    // To a server of the other family it leaves from any address.
    const address = options.address ?? (isIP(this.host) === family ? this.host : family === 6 ? '::' : '0.0.0.0');
    if (this.batches !== undefined && remote === undefined && isIP(address) === 4) {
      return batchedSocket(this.batches, { address, port });
    }
    const socket = createSocket({ type: `udp${family}`, recvBufferSize: RECEIVE_BUFFER_BYTES, lookup: asItIs });
    // With nothing to look up these events may come before the calls return.
    const listening = once(socket, 'listening');
    socket.bind(port, address);
    await listening;
    if (remote !== undefined) {
      const connected = once(socket, 'connect');
      socket.connect(remote.port, remote.address);
      await connected;
    }
    const adapted = new HostUdpSocket(
      () => socket.address(),
      (data, toPort, to) => {
        const target = remote === undefined ? ([toPort, to] as const) : ([] as const);
        return new Promise((sent, failed) =>
          // Node's types know of no call with as few arguments as a connected socket takes.
          socket.send(data, ...(target as [number, string]), (error) => (error === null ? sent() : failed(error))),
        );
      },
      (data, toPort, to) => socket.send(data, toPort, to),
      () => socket.close(),
    );
    socket.on('message', (data, from) => adapted.emit('message', data, from));
    socket.on('error', (error) => adapted.emit('error', error));
    socket.on('close', () => adapted.emit('close'));
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

/** The sockets for batches. Rejects, saying why, where they do not work. */
export async function loadBatches(): Promise<NativeSockets> {
  const sockets = await loadNativeSockets();
  await testBatchedUdp(sockets);
  return sockets;
}

/** Throws with EADDRINUSE when the port is taken. */
function batchedSocket(sockets: NativeSockets, bind: SocketAddress): HostUdpSocket {
  const socket = new BatchedUdpSocket(sockets, {
    bind,
    bufferBytes: RECEIVE_BUFFER_BYTES,
    onMessage: (data, from) => adapted.emit('message', data, from),
    onError: (error) => adapted.emit('error', error),
  });
  const post = (data: Uint8Array, toPort: number, to: string): void => socket.send(data, toPort, to);
  const adapted: HostUdpSocket = new HostUdpSocket(
    () => socket.local,
    async (data, toPort, to) => post(data, toPort, to),
    post,
    () => {
      socket.close();
      adapted.emit('close');
    },
  );
  return adapted;
}

/** Queries that come in a burst wait here. */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;

/** Destinations are addresses: there is nothing to look up, and no turn of the event loop to wait for it. */
function asItIs(
  address: string,
  _options: unknown,
  found: (error: null, address: string, family: number) => void,
): void {
  found(null, address, isIP(address));
}

/** A connected `net.Socket` has every member of the interface; its addresses are defined while it is connected. */
function asPodSocket(socket: Socket): PodTcpSocket {
  return socket as unknown as PodTcpSocket;
}

export class HostUdpSocket extends EventEmitter implements PodUdpSocket {
  readonly address: () => SocketAddress;
  readonly send: (data: Uint8Array, port: number, address: string) => Promise<void>;
  readonly post: (data: Uint8Array, port: number, address: string) => void;
  readonly close: () => void;

  constructor(
    address: () => SocketAddress,
    send: PodUdpSocket['send'],
    post: (data: Uint8Array, port: number, address: string) => void,
    close: () => void,
  ) {
    super();
    this.address = address;
    this.send = send;
    this.post = post;
    this.close = close;
  }
}
