/** The addresses of kube-ipvs0 follow the virtual servers; the device is made with the first and goes with the last. */
import type { Host } from '../../../shared/netstack/host.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { randomMac } from '../device-identity.ts';
import { DummyDevice } from './dummy-device.ts';
import type { IpvsTable } from './ipvs-table.ts';

const SERVICE_DEVICE = 'kube-ipvs0';

export class ServiceAddresses {
  device: DummyDevice | null = null;
  private readonly root: Host;
  private readonly nextIndex: () => number;
  private readonly assigned = new Set<number>();
  private followed: IpvsTable | null = null;
  private generation = 0;

  /** `nextIndex` gives the device its ifindex. */
  constructor(root: Host, nextIndex: () => number) {
    this.root = root;
    this.nextIndex = nextIndex;
  }

  /** An address that the node has anyway (its own, for node ports) stays where it is. */
  follow({ ipvs: change, base }: RulesTransaction, ipvs: IpvsTable | null): void {
    if (change === undefined && base !== null) return;
    if (ipvs !== null && ipvs === this.followed && ipvs.addressGeneration === this.generation) return;
    this.followed = ipvs;
    this.generation = ipvs?.addressGeneration ?? 0;
    const wanted = new Set(ipvs?.addresses() ?? []);
    for (const address of this.assigned) if (!wanted.has(address)) this.remove(address);
    for (const address of wanted) if (!this.assigned.has(address) && !this.root.isLocal(address)) this.add(address);
    if (this.device === null || this.assigned.size > 0) return;
    this.root.removeDevice(this.device);
    this.device = null;
  }

  private add(address: number): void {
    const { engine, memory } = this.root;
    this.device ??= new DummyDevice(SERVICE_DEVICE, this.nextIndex(), randomMac(engine.random), memory);
    this.root.addAddress(this.device, address, 32);
    this.assigned.add(address);
  }

  private remove(address: number): void {
    this.root.removeAddress(this.device!, address);
    this.assigned.delete(address);
  }
}
