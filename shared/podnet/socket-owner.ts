/**
 * Which program has a socket of the stack open: what `ss -p` tells. The stack knows of no programs, so that this stands beside
 * its sockets, by the sockets themselves.
 */
import type { PodNetwork } from './pod-network.ts';

export interface SocketOwner {
  /** Of its program, as the kernel's task has it: without folders, 15 characters at most. */
  readonly name: string;
  /** In its own PID namespace. */
  readonly pid: number;
  /** As the node sees it. */
  readonly nodePid: number;
  /** Who sees `pid`: anything that the processes of a namespace have in common. */
  readonly pidNamespace: object;
  readonly descriptors: Descriptors;
}

/** The numbers of a process' open files; the standard streams have the first three. */
export class Descriptors {
  private readonly taken = new Set<number>([0, 1, 2]);

  /** The lowest that is free. */
  take(): number {
    let lowest = 0;
    while (this.taken.has(lowest)) lowest++;
    this.taken.add(lowest);
    return lowest;
  }

  giveBack(descriptor: number): void {
    this.taken.delete(descriptor);
  }

  /** The process is over. */
  clear(): void {
    this.taken.clear();
  }

  has(descriptor: number): boolean {
    return this.taken.has(descriptor);
  }
}

export interface SocketHolder {
  readonly owner: SocketOwner;
  readonly descriptor: number;
}

const holders = new WeakMap<object, SocketHolder>();

/** A program opened the socket; nothing happens where nobody said who. */
export function holdSocket(socket: object, owner: SocketOwner | undefined): void {
  if (owner !== undefined) holders.set(socket, { owner, descriptor: owner.descriptors.take() });
}

/** And closed it, whatever the stack still does with it. */
export function letGoOfSocket(socket: object): void {
  const holder = holders.get(socket);
  if (holder === undefined) return;
  holders.delete(socket);
  holder.owner.descriptors.giveBack(holder.descriptor);
}

/** Undefined for one that no living program has. */
export function holderOf(socket: object): SocketHolder | undefined {
  const holder = holders.get(socket);
  return holder?.owner.descriptors.has(holder.descriptor) === true ? holder : undefined;
}

/** A network whose sockets are one program's, where nobody nearer to the program said so before. */
export function networkOwnedBy(owner: SocketOwner, network: PodNetwork): PodNetwork {
  return {
    connectTcp: (options, signal) => network.connectTcp({ owner, ...options }, signal),
    listenTcp: (options) => network.listenTcp({ owner, ...options }),
    bindUdp: (options) => network.bindUdp({ owner, ...options }),
    ping: (options, signal) => network.ping(options, signal),
    addresses: () => network.addresses(),
    close: () => network.close(),
  };
}
