/**
 * What stands between sockets and the network where Services are translated at the socket (a cgroup's BPF programs connect,
 * sendmsg, recvmsg and getpeername): no packet ever has a Service's address.
 */

export interface SocketBackend {
  readonly address: number;
  readonly port: number;
}

export interface SocketBalancer {
  /** Where a new connection leads: null when the address is no Service's; `unreachable` when nothing is behind it. */
  choose(protocol: number, address: number, port: number): SocketBackend | 'unreachable' | null;
}

/** What one UDP socket asked for, by who answers. */
export class SocketTranslations {
  private readonly asked = new Map<string, SocketBackend>();

  note(address: number, port: number, backend: SocketBackend): void {
    if (this.asked.size >= MAX_TRANSLATIONS) this.asked.clear();
    this.asked.set(keyOf(backend.address, backend.port), { address, port });
  }

  /** Undefined for a peer that was asked by its own address. */
  askedOf(address: number, port: number): SocketBackend | undefined {
    return this.asked.get(keyOf(address, port));
  }

  visitAddresses(visit: (address: number) => void): void {
    for (const { address } of this.asked.values()) visit(address);
  }
}

/** Backends whose Service one socket remembers. */
const MAX_TRANSLATIONS = 1024;

function keyOf(address: number, port: number): string {
  return `${address >>> 0}:${port}`;
}
