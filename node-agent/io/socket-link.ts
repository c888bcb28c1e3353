/** What every link over sockets has beside carrying datagrams. */
import type { NativeSocket, NativeSockets } from '../../shared/native/native-socket.ts';
import type { PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { LinkEndpoint, UnderlayLink } from '../datapath/link.ts';
import type { EventLoop } from './event-loop.ts';
import type { LinkCounters } from './link-counters.ts';
import type { KernelDrops } from './udp-socket-table.ts';

export interface SocketLink extends UnderlayLink {
  readonly counters: LinkCounters;
  readonly kernelDrops: KernelDrops;
  /**
   * Whether datagrams of one size go out as one large one that the kernel cuts. On loopback nobody cuts it, and a capture
   * shows its first frame only: off while the real socket is captured.
   */
  batches: boolean;
}

export interface SocketLinkOptions {
  readonly memory: PacketMemory;
  readonly loop: EventLoop;
  /** Where to bind: the node's own loopback address and 4789. */
  readonly bind: LinkEndpoint;
  /** False: no batches on the real network, as captures of it want it. */
  readonly batches?: boolean;
}

/** The socket could not be bound where it was to be, nor anywhere else. */
export class LinkBindError extends Error {
  constructor(bind: LinkEndpoint, cause: Error) {
    super(`cannot bind the data path's UDP socket to ${bind.address}:${bind.port} (${cause.message})`, { cause });
    this.name = 'LinkBindError';
  }
}

/**
 * Where to bind, in order: where the port is taken another one, and where the system has no such loopback address (macOS,
 * Windows) 127.0.0.1.
 */
export function bindChoices(bind: LinkEndpoint): LinkEndpoint[] {
  return [bind, { ...bind, port: 0 }, { address: '127.0.0.1', port: 0 }];
}

/** Asked for; the kernel caps it at net.core.rmem_max and wmem_max. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

/** For `dgram`, whose peers are literal addresses: the resolver's thread pool has no part in sending. */
export function literalLookup(
  address: string,
  _options: object,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, address, 4);
}

/** Opens one where it can be bound (`bindChoices`). Throws LinkBindError. */
export function openNativeSocket(sockets: NativeSockets, bind: LinkEndpoint): NativeSocket {
  let failure = new Error('not tried');
  for (const choice of bindChoices(bind)) {
    try {
      return sockets.open({ bind: choice, bufferBytes: SOCKET_BUFFER_BYTES, joined: true });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
  }
  throw new LinkBindError(bind, failure);
}
