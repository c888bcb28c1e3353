/** Pods of aws-vpc: their addresses by ipamd, whose interfaces are the node's. */
import { Alarm } from '../../../shared/netstack/alarm.ts';
import type { InterfaceLimits } from '../../../shared/runtime/instance-types.ts';
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';
import type { ElasticNetwork } from '../../datapath/network/elastic-network.ts';
import type { FabricPods } from '../fabric-cni.ts';
import { AddressesExhaustedError } from '../ipam/host-local.ts';
import { attachLeased } from '../leased-pod.ts';
import type { CniAttachment, CniContext, PodAttachRequest } from '../plugin.ts';
import { Ipamd } from './ipamd.ts';
import type { WarmTargets } from './warm-targets.ts';

export interface EniPodsOptions {
  readonly context: CniContext;
  readonly network: ElasticNetwork;
  readonly limits: InterfaceLimits;
  readonly warm: WarmTargets;
}

export class EniPods implements FabricPods {
  private readonly options: EniPodsOptions;
  private readonly cooled: Alarm;
  private ipamd: Ipamd | undefined;
  /** Told before the node had its block. */
  private survivors: ReadonlySet<string> | undefined;

  constructor(options: EniPodsOptions) {
    this.options = options;
    this.cooled = new Alarm(options.context.datapath.root.engine, () => this.adjust());
  }

  setUpNode(block: Ipv4Prefix): void {
    const { context, network, limits, warm } = this.options;
    const { datapath, leases: store } = context;
    datapath.setPodCidr(block);
    this.ipamd = new Ipamd({
      block,
      limits,
      warm,
      store,
      nowUs: () => datapath.root.engine.nowUs,
      attached: (number, primary) => network.attachInterface(number, primary),
      detached: (number) => network.detachInterface(number),
    });
    if (this.survivors !== undefined) this.ipamd.retainOnly(this.survivors);
    this.followChanges();
  }

  interfaceOf(address: number): number {
    return this.ipamd?.interfaceOf(address) ?? 0;
  }

  attach(request: PodAttachRequest): CniAttachment {
    const { ipamd } = this;
    try {
      const attachment = attachLeased({ datapath: this.options.context.datapath, ipam: ipamd }, request);
      const detach = (): void => {
        attachment.detach();
        this.followChanges();
      };
      return { ...attachment, detach };
    } catch (error) {
      if (error instanceof AddressesExhaustedError) throw new AddressesExhaustedError(`add cmd: ${error.message}`);
      throw error;
    } finally {
      this.followChanges();
    }
  }

  retainOnly(podUids: ReadonlySet<string>): void {
    this.survivors = podUids;
    this.ipamd?.retainOnly(podUids);
    this.followChanges();
  }

  private adjust(): void {
    this.ipamd?.adjust();
    this.followChanges();
  }

  private followChanges(): void {
    this.options.context.datapath.captures.devicesChanged();
    const next = this.ipamd?.nextCooledUs;
    if (next !== undefined) this.cooled.set(next);
  }
}
