/** Sockets of the node and of its pods go by the load balancer maps while there are any. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { RuleTables } from '../rule-tables.ts';

export class SocketBalancers {
  private readonly tables: RuleTables;
  /** With the address that stands for the namespace in session affinity. */
  private readonly hosts = new Map<Host, number>();

  constructor(tables: RuleTables) {
    this.tables = tables;
  }

  add(host: Host, client: number): void {
    this.hosts.set(host, client);
    this.follow(host, client);
  }

  remove(host: Host): void {
    this.hosts.delete(host);
  }

  /** The rules changed. */
  followAll(): void {
    for (const [host, client] of this.hosts) this.follow(host, client);
  }

  private follow(host: Host, client: number): void {
    const { bpf } = this.tables;
    host.socketBalancer =
      bpf === null
        ? null
        : { choose: (protocol, address, port) => bpf.chooseForSocket(client, protocol, address, port) };
  }
}
