/**
 * EC2's instance types, as far as their network bounds a node: how many network interfaces one takes, and how many IPv4
 * addresses each of those. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AvailableIpPerENI.html
 */

export interface InterfaceLimits {
  readonly interfaces: number;
  /** Of each interface, its primary address among them. */
  readonly addressesEach: number;
}

const of = (interfaces: number, addressesEach: number): InterfaceLimits => ({ interfaces, addressesEach });

const LIMITS: Readonly<Record<string, InterfaceLimits>> = {
  't2.micro': of(2, 2),
  't2.small': of(3, 4),
  't2.medium': of(3, 6),
  't2.large': of(3, 12),
  't3.nano': of(2, 2),
  't3.micro': of(2, 2),
  't3.small': of(3, 4),
  't3.medium': of(3, 6),
  't3.large': of(3, 12),
  't3.xlarge': of(4, 15),
  't3.2xlarge': of(4, 15),
  'm4.large': of(2, 10),
  'm4.xlarge': of(4, 15),
  'm5.large': of(3, 10),
  'm5.xlarge': of(4, 15),
  'm5.2xlarge': of(4, 15),
  'm5.4xlarge': of(8, 30),
  'm5.8xlarge': of(8, 30),
  'm5.12xlarge': of(8, 30),
  'm5.16xlarge': of(15, 50),
  'm5.24xlarge': of(15, 50),
  'c5.large': of(3, 10),
  'c5.xlarge': of(4, 15),
  'c5.2xlarge': of(4, 15),
  'c5.4xlarge': of(8, 30),
  'c5.9xlarge': of(8, 30),
  'c5.18xlarge': of(15, 50),
  'r5.large': of(3, 10),
  'r5.xlarge': of(4, 15),
  'r5.2xlarge': of(4, 15),
  'r5.4xlarge': of(8, 30),
};

export const INSTANCE_TYPES: readonly string[] = Object.keys(LIMITS);
/** The largest whose addresses a /24 holds. */
export const DEFAULT_INSTANCE_TYPE = 'm5.4xlarge';

/** Undefined for a type that is not in the table. */
export function interfaceLimits(instanceType: string): InterfaceLimits | undefined {
  return LIMITS[instanceType];
}

/** What EKS starts a kubelet with: an address for each pod, and two for those of the node's own network. */
export function maxPodsOf({ interfaces, addressesEach }: InterfaceLimits): number {
  return interfaces * (addressesEach - 1) + 2;
}
