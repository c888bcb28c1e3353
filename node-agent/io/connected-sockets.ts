/**
 * Sockets of one peer each, beside a node's own and with its local address: what goes through a connected socket needs no
 * route and no address each time, on either side of the system call.
 *
 *   peer 127.0.1.11:4789 <-> socket connected to it \
 *   peer 127.0.1.12:4789 <-> socket connected to it  } bound to 127.0.1.10:4789 (SO_REUSEPORT)
 *   anybody else          -> the node's own          /
 *
 * The kernel gives a datagram to the socket that is connected to its sender, else to the node's own.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { LinkEndpoint, PeerId } from '../datapath/link.ts';
import { literalLookup, SOCKET_BUFFER_BYTES } from './socket-link.ts';

/** More would cost descriptors and gain little: a node with so many peers sends seldom to each. */
const MAX_CONNECTED = 64;

export interface ConnectedSocketsOptions {
  readonly local: LinkEndpoint;
  /** Between its binding and its connection a socket may have got what was for others. */
  readonly onMessage: (message: Uint8Array, remote: RemoteInfo) => void;
  readonly onError: () => void;
  /** The one that is connected to it. */
  readonly willClose: (remote: LinkEndpoint) => void;
}

export class ConnectedSockets {
  private readonly options: ConnectedSocketsOptions;
  /** By peer; null where it could not be had. */
  private readonly sockets: (Socket | null | undefined)[] = [];
  private size = 0;

  constructor(options: ConnectedSocketsOptions) {
    this.options = options;
  }

  /** The one of a peer, made with the first call for it; null where the node's own is to do. */
  of(peer: PeerId, endpoint: LinkEndpoint): Socket | null {
    let socket = this.sockets[peer];
    if (socket !== undefined) return socket;
    socket = this.size < MAX_CONNECTED ? this.open(endpoint) : null;
    if (socket !== null) this.size++;
    this.sockets[peer] = socket;
    return socket;
  }

  /** Answers the one that was closed with it, if there was one. */
  forget(peer: PeerId): Socket | null {
    const socket = this.sockets[peer] ?? null;
    this.sockets[peer] = undefined;
    if (socket === null) return null;
    const { address, port } = socket.remoteAddress();
    this.options.willClose({ address, port });
    socket.close();
    this.size--;
    return socket;
  }

  /** With the link: nobody asks any more what was dropped at them. */
  close(): void {
    for (const socket of this.sockets) socket?.close();
    this.sockets.length = 0;
    this.size = 0;
  }

  /** All of it happens within the calls, as the lookup answers at once. */
  private open(endpoint: LinkEndpoint): Socket | null {
    const { local, onMessage, onError } = this.options;
    const socket = createSocket({ type: 'udp4', lookup: literalLookup, reusePort: true });
    let isRefused = false;
    const refused = (): void => {
      isRefused = true;
    };
    socket.on('error', refused);
    socket.bind({ address: local.address, port: local.port, exclusive: true });
    // Whether it is connected is asked at once; with a callback, a failure is no error event later.
    if (!isRefused) socket.connect(endpoint.port, endpoint.address, () => undefined);
    if (isRefused || !isConnected(socket)) {
      socket.close();
      return null;
    }
    socket.setRecvBufferSize(SOCKET_BUFFER_BYTES);
    socket.setSendBufferSize(SOCKET_BUFFER_BYTES);
    socket.on('message', onMessage);
    socket.off('error', refused);
    socket.on('error', onError);
    return socket;
  }
}

function isConnected(socket: Socket): boolean {
  try {
    socket.remoteAddress();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SOCKET_DGRAM_NOT_CONNECTED') return false;
    throw error;
  }
}
