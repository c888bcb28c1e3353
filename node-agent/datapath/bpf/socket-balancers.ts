/** Sockets of the node and of its pods go by the load balancer maps while there are any. */
import type { Host } from '../../../shared/netstack/host.ts';
import { isIpv6 } from '../../../shared/wire/ipv6-table.ts';
import type { RuleFamilies } from '../rule-families.ts';

export class SocketBalancers {
  private readonly rules: RuleFamilies;
  /** With the address that stands for the namespace in session affinity. */
  private readonly hosts = new Map<Host, number>();

  constructor(rules: RuleFamilies) {
    this.rules = rules;
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
    const { ipv4, ipv6 } = this.rules;
    if (ipv4.bpf === null && ipv6.bpf === null) {
      host.socketBalancer = null;
      return;
    }
    host.socketBalancer = {
      choose: (protocol, address, port) => {
        const { bpf } = isIpv6(address) ? ipv6 : ipv4;
        return bpf?.chooseForSocket(client, protocol, address, port) ?? null;
      },
    };
  }
}
