import type { Service } from 'kubernetes-types/core/v1.js';
import { describe, expect, it } from 'vitest';
import type { Live } from '../../shared/api/live.ts';
import { parsePool } from './address-pool.ts';
import { CLEANUP_FINALIZER, decideLoadBalancer } from './load-balancer.ts';

const pool = parsePool('192.168.1.240-192.168.1.241')!;

function service(
  spec: Partial<Service['spec']>,
  more: Partial<Live<Service>['metadata']> = {},
  ip?: string,
): Live<Service> {
  const metadata = {
    name: 'web',
    namespace: 'default',
    uid: 'u',
    creationTimestamp: '',
    resourceVersion: '1',
    ...more,
  };
  return { metadata, spec: { ...spec }, status: ip === undefined ? {} : { loadBalancer: { ingress: [{ ip }] } } };
}

const balanced = { type: 'LoadBalancer' };
const decided = (one: Live<Service>, ...used: string[]) => decideLoadBalancer(one, pool, new Set(used));

describe('a load balancer', () => {
  it('gets the lowest free address, and keeps it', () => {
    expect(decided(service(balanced))).toEqual({ kind: 'ensure', address: '192.168.1.240' });
    expect(decided(service(balanced), '192.168.1.240')).toEqual({ kind: 'ensure', address: '192.168.1.241' });
    const ensured = service(balanced, { finalizers: [CLEANUP_FINALIZER] }, '192.168.1.241');
    expect(decided(ensured)).toEqual({ kind: 'none' });
  });

  it('gets the address that is asked for', () => {
    const asking = service({ ...balanced, loadBalancerIP: '192.168.1.241' });
    expect(decided(asking)).toEqual({ kind: 'ensure', address: '192.168.1.241' });
    expect(decided(asking, '192.168.1.241')).toMatchObject({ kind: 'fail' });
    expect(decided(service({ ...balanced, loadBalancerIP: '10.0.0.1' }))).toMatchObject({
      message: expect.stringContaining('does not have 10.0.0.1 free'),
    });
  });

  it('waits when the pool is empty', () => {
    expect(decided(service(balanced), '192.168.1.240', '192.168.1.241')).toEqual({
      kind: 'fail',
      message:
        'Error syncing load balancer: failed to ensure load balancer: the pool 192.168.1.240-192.168.1.241 has no free address',
    });
  });

  it('of IPv6 alone gets none, as the pool is of IPv4', () => {
    expect(decided(service({ ...balanced, ipFamilies: ['IPv6'] }))).toMatchObject({
      kind: 'fail',
      message: expect.stringContaining("no address of the Service's IP family"),
    });
    expect(decided(service({ ...balanced, ipFamilies: ['IPv6', 'IPv4'] }))).toMatchObject({ kind: 'ensure' });
  });

  it('is cleaned up before its Service goes or becomes another type', () => {
    const finalizers = [CLEANUP_FINALIZER];
    expect(decided(service(balanced, { finalizers, deletionTimestamp: '2025-01-01T00:00:00Z' }))).toEqual({
      kind: 'clean-up',
    });
    expect(decided(service({ type: 'ClusterIP' }, { finalizers }))).toEqual({ kind: 'clean-up' });
    expect(decided(service({ type: 'ClusterIP' }))).toEqual({ kind: 'none' });
  });

  it('of a class is left alone', () => {
    expect(decided(service({ ...balanced, loadBalancerClass: 'example.com/lb' }))).toEqual({ kind: 'none' });
  });
});

describe('a pool', () => {
  it.each(['', 'x-y', '192.168.1.9-192.168.1.1', '1.2.3.4-1.2.3.5-1.2.3.6'])('is not %j', (text) => {
    expect(parsePool(text)).toBeUndefined();
  });
});
