/** The ipsets of IPVS mode, and by which of a packet's addresses and ports rules ask them. */
import type { IpSetType } from '../../../../shared/rules/ipvs.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';

interface IpSetUse {
  readonly type: IpSetType;
  readonly sides: readonly ('src' | 'dst')[];
}

const addressAndPort: IpSetUse = { type: 'hash:ip,port', sides: ['dst', 'dst'] };
const portOnly: IpSetUse = { type: 'bitmap:port', sides: ['dst'] };

export const IP_SETS = {
  'KUBE-LOOP-BACK': { type: 'hash:ip,port,ip', sides: ['dst', 'dst', 'src'] },
  'KUBE-CLUSTER-IP': addressAndPort,
  'KUBE-EXTERNAL-IP': addressAndPort,
  'KUBE-EXTERNAL-IP-LOCAL': addressAndPort,
  'KUBE-LOAD-BALANCER': addressAndPort,
  'KUBE-LOAD-BALANCER-LOCAL': addressAndPort,
  'KUBE-LOAD-BALANCER-FW': addressAndPort,
  'KUBE-LOAD-BALANCER-SOURCE-CIDR': { type: 'hash:ip,port,net', sides: ['dst', 'dst', 'src'] },
  'KUBE-NODE-PORT-TCP': portOnly,
  'KUBE-NODE-PORT-LOCAL-TCP': portOnly,
  'KUBE-NODE-PORT-UDP': portOnly,
  'KUBE-NODE-PORT-LOCAL-UDP': portOnly,
  'KUBE-HEALTH-CHECK-NODE-PORT': portOnly,
  'KUBE-IPVS-IPS': { type: 'hash:ip', sides: ['dst'] },
} as const satisfies Record<string, IpSetUse>;

export type IpSetName = keyof typeof IP_SETS;

/** Of ipset(8). */
const MAX_NAME_LENGTH = 31;

/** Both families' sets stand in one list of the kernel: IPv6's have names of their own, cut where ipset wants it. */
export function ipSetName(set: IpSetName, family: IpFamily): string {
  return family === 'ipv4' ? set : set.replace('KUBE-', 'KUBE-6-').slice(0, MAX_NAME_LENGTH);
}
