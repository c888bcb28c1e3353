/** What a Service needs of the load balancer of this cloud: a function of its state, as the original's service controller decides. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { type AddressPool, formatPool, takeAddress } from './address-pool.ts';

/** Keeps a Service until its load balancer is gone. */
export const CLEANUP_FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

export type LoadBalancerStep =
  | { readonly kind: 'none' }
  | { readonly kind: 'ensure'; readonly address: string }
  | { readonly kind: 'fail'; readonly message: string }
  | { readonly kind: 'clean-up' };

/** `used`: addresses of other Services. */
export function decideLoadBalancer(
  service: Live<Service>,
  pool: AddressPool,
  used: ReadonlySet<string>,
): LoadBalancerStep {
  const { metadata, spec } = service;
  const hasFinalizer = metadata.finalizers?.includes(CLEANUP_FINALIZER) ?? false;
  if (metadata.deletionTimestamp !== undefined || !wantsLoadBalancer(service)) {
    return hasFinalizer ? { kind: 'clean-up' } : { kind: 'none' };
  }
  const [present] = loadBalancerAddresses(service);
  const wanted = spec.loadBalancerIP ?? '';
  if (present !== undefined && hasFinalizer && (wanted === '' || wanted === present)) return { kind: 'none' };
  // A pool is a range of IPv4 addresses.
  if (!(spec.ipFamilies ?? ['IPv4']).includes('IPv4')) {
    return failure(`the pool ${formatPool(pool)} has no address of the Service's IP family`);
  }
  const address = takeAddress(pool, used, wanted || (present ?? ''));
  if (address !== undefined) return { kind: 'ensure', address };
  const what = wanted === '' ? 'has no free address' : `does not have ${wanted} free`;
  return failure(`the pool ${formatPool(pool)} ${what}`);
}

function failure(reason: string): LoadBalancerStep {
  return { kind: 'fail', message: `Error syncing load balancer: failed to ensure load balancer: ${reason}` };
}

/** A Service with a class is another controller's. */
function wantsLoadBalancer({ spec }: Live<Service>): boolean {
  return spec.type === 'LoadBalancer' && spec.loadBalancerClass === undefined;
}

export function loadBalancerAddresses({ status }: Live<Service>): string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
}
