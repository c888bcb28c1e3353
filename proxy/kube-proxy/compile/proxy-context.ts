/** What the compilers know of their node and of the proxy's configuration. */
import type { Scheduler } from '../../../shared/rules/ipvs.ts';
import type { IpFamily, IpPrefix } from '../../../shared/wire/ip-address.ts';
import type { ProxyNode } from './endpoints-for.ts';
import type { Sha256 } from './hash-name.ts';

export interface ProxyContext {
  /** Of the addresses below, and of the Services and endpoints that are compiled. */
  readonly family: IpFamily;
  readonly node: ProxyNode & {
    /** As `shared/wire/ip-address.ts` has them. */
    readonly address: number;
  };
  /** Where pods' addresses come from: traffic to a ClusterIP from elsewhere is masqueraded. */
  readonly clusterCidr: IpPrefix;
  /** Where ClusterIPs come from. */
  readonly serviceCidr: IpPrefix;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  /** Of IPVS. */
  readonly scheduler: Scheduler;
  readonly sha256: Sha256;
}
