/** A small network for tests: hosts joined by veth pairs, on one engine whose time the test moves. */
import { parseAddress, parsePrefix } from '../wire/ip-address.ts';
import { ANY_IPV6 } from '../wire/ipv6-address.ts';
import { isIpv6 } from '../wire/ipv6-table.ts';
import { PacketMemory } from '../wire/packet-memory.ts';
import { EventEngine } from './event-engine.ts';
import { Host, type HostOptions } from './host.ts';
import { seededRandom } from './seeded-random.ts';
import { createVethPair, type VethDevice } from './veth.ts';

export const ip = (text: string): number => {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
};

export class TestNetwork {
  readonly engine: EventEngine;
  readonly memory = new PacketMemory({ smallSlots: 2048, largeSlots: 64 });
  private devices = 0;

  constructor(seed = 1) {
    this.engine = new EventEngine({ random: seededRandom(seed) });
    this.engine.enter(1_000_000);
  }

  host(name: string, options: Partial<HostOptions> = {}): Host {
    const secret = new TextEncoder().encode(`secret of ${name}`.padEnd(16));
    return new Host({ engine: this.engine, memory: this.memory, name, secret, ...options });
  }

  /** Joins two hosts; each end gets its address with prefix (`10.0.0.1/24`). */
  join(a: Host, addressA: string, b: Host, addressB: string, mtuBytes = 1500): [VethDevice, VethDevice] {
    const pair = createVethPair(
      this.engine,
      this.memory,
      { name: `eth${a.interfaces.size - 1}`, macAddress: this.nextMac(), index: a.interfaces.size + 1, mtuBytes },
      { name: `eth${b.interfaces.size - 1}`, macAddress: this.nextMac(), index: b.interfaces.size + 1, mtuBytes },
    );
    const prefixA = parsePrefix(addressA)!;
    const prefixB = parsePrefix(addressB)!;
    a.addAddress(pair[0], prefixA.address, prefixA.prefixLength);
    b.addAddress(pair[1], prefixB.address, prefixB.prefixLength);
    return pair;
  }

  defaultRoute(host: Host, gateway: string): void {
    const address = ip(gateway);
    host.routes.add({
      destination: isIpv6(address) ? ANY_IPV6 : 0,
      prefixLength: 0,
      gateway: address,
      device: host.routes.lookup(address)!.device,
    });
  }

  /** Runs what is due now. */
  settle(): void {
    this.engine.enter(this.engine.nowUs);
    this.engine.drain();
  }

  /** Moves time on by `us`, timer by timer. */
  advance(us: number): void {
    const end = this.engine.nowUs + us;
    this.settle();
    for (let next = this.engine.nextDeadlineUs(); next <= end; next = this.engine.nextDeadlineUs()) {
      this.engine.enter(next);
      this.engine.drain();
    }
    this.engine.enter(end);
    this.engine.drain();
  }

  /** Two hosts in one network. */
  static pair(mtuBytes = 1500): { net: TestNetwork; a: Host; b: Host; link: [VethDevice, VethDevice] } {
    const net = new TestNetwork();
    const a = net.host('a');
    const b = net.host('b');
    const link = net.join(a, '10.0.0.1/24', b, '10.0.0.2/24', mtuBytes);
    return { net, a, b, link };
  }

  /** a - router - b, each side a network of its own. */
  static routed(options: { mtuBytes?: number; farMtuBytes?: number; router?: Partial<HostOptions> } = {}): {
    net: TestNetwork;
    a: Host;
    router: Host;
    b: Host;
    near: [VethDevice, VethDevice];
    far: [VethDevice, VethDevice];
  } {
    const net = new TestNetwork();
    const a = net.host('a');
    const router = net.host('router', { ipForward: true, ...options.router });
    const b = net.host('b');
    const mtu = options.mtuBytes ?? 1500;
    const near = net.join(a, '10.0.1.2/24', router, '10.0.1.1/24', mtu);
    const far = net.join(router, '10.0.2.1/24', b, '10.0.2.2/24', options.farMtuBytes ?? mtu);
    net.defaultRoute(a, '10.0.1.1');
    net.defaultRoute(b, '10.0.2.1');
    return { net, a, router, b, near, far };
  }

  private nextMac(): number {
    this.devices++;
    return 0x0200_0000_0000 + this.devices;
  }
}
