/** The addresses of kube-ipvs0 follow the virtual servers; the device is made with the first and goes with the last. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { addressBits, type IpFamily } from '../../../shared/wire/ip-address.ts';
import { randomMac } from '../device-identity.ts';
import { DummyDevice } from './dummy-device.ts';
import type { IpvsTable } from './ipvs-table.ts';

const SERVICE_DEVICE = 'kube-ipvs0';

/** What one family's virtual servers have on the device. */
interface Followed {
  ipvs: IpvsTable | null;
  generation: number;
  readonly assigned: Set<number>;
}

export class ServiceAddresses {
  device: DummyDevice | null = null;
  private readonly root: Host;
  private readonly nextIndex: () => number;
  private readonly families: Readonly<Record<IpFamily, Followed>> = { ipv4: nothing(), ipv6: nothing() };

  /** `nextIndex` gives the device its ifindex. */
  constructor(root: Host, nextIndex: () => number) {
    this.root = root;
    this.nextIndex = nextIndex;
  }

  /** An address that the node has anyway (its own, for node ports) stays where it is. */
  follow({ ipvs: change, base, family = 'ipv4' }: RulesTransaction, ipvs: IpvsTable | null): void {
    const followed = this.families[family];
    if (change === undefined && base !== null) return;
    if (ipvs !== null && ipvs === followed.ipvs && ipvs.addressGeneration === followed.generation) return;
    followed.ipvs = ipvs;
    followed.generation = ipvs?.addressGeneration ?? 0;
    const { assigned } = followed;
    const wanted = new Set(ipvs?.addresses() ?? []);
    for (const address of assigned) if (!wanted.has(address)) this.remove(address, assigned);
    for (const address of wanted)
      if (!assigned.has(address) && !this.root.isLocal(address)) this.add(address, assigned);
    const { ipv4, ipv6 } = this.families;
    if (this.device === null || ipv4.assigned.size + ipv6.assigned.size > 0) return;
    this.root.removeDevice(this.device);
    this.device = null;
  }

  private add(address: number, assigned: Set<number>): void {
    const { engine, memory } = this.root;
    this.device ??= new DummyDevice(SERVICE_DEVICE, this.nextIndex(), randomMac(engine.random), memory);
    this.root.addAddress(this.device, address, addressBits(address));
    assigned.add(address);
  }

  private remove(address: number, assigned: Set<number>): void {
    this.root.removeAddress(this.device!, address);
    assigned.delete(address);
  }
}

function nothing(): Followed {
  return { ipvs: null, generation: 0, assigned: new Set() };
}
