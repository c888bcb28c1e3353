/** What the compilers know of their node and of the proxy's configuration. */
import type { Scheduler } from '../../../shared/rules/ipvs.ts';
import type { Ipv4Prefix } from '../../../shared/wire/address.ts';
import type { ProxyNode } from './endpoints-for.ts';
import type { Sha256 } from './hash-name.ts';

export interface ProxyContext {
  readonly node: ProxyNode & {
    /** uint32 */
    readonly address: number;
  };
  /** Where pods' addresses come from: traffic to a ClusterIP from elsewhere is masqueraded. */
  readonly clusterCidr: Ipv4Prefix;
  /** Where ClusterIPs come from. */
  readonly serviceCidr: Ipv4Prefix;
  readonly masqueradeAll: boolean;
  readonly localhostNodePorts: boolean;
  /** Of IPVS. */
  readonly scheduler: Scheduler;
  readonly sha256: Sha256;
}
