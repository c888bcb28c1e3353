import type { Service, ServiceSpec } from 'kubernetes-types/core/v1.js';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { IPADDRESSES } from '../../../../shared/api/resources.ts';
import { clusterIpChangeErrors, clusterIpErrors } from '../../../../shared/api/validation/service-families.ts';
import { seededRandom } from '../../../../shared/runtime/random.ts';
import { ipv4ClusterIps, ipv6ClusterIps, nodePortAllocator } from '../../allocation/service-ranges.ts';
import type { ObjectStorage } from '../../storage/object-storage.ts';
import { SharedStore } from '../../storage/shared-store.testkit.ts';
import type { Strategy, WriteContext } from '../strategy.ts';
import { serviceStrategy } from './service.ts';

const CONTEXT: WriteContext = {
  dryRun: false,
  user: { name: 'test', groups: [] },
  origin: 'client',
  nowMs: 0,
  warn: () => undefined,
};
const V4 = /^10\.\d+\.\d+\.\d+$/;
const V6 = /^fd00:10:96::[0-9a-f:]+$/;

let storage: ObjectStorage;
let dual: Strategy;
let single: Strategy;

beforeEach(() => {
  storage = new SharedStore().server();
  const random = seededRandom(1);
  const nodePorts = nodePortAllocator(storage, random);
  const ipv4 = ipv4ClusterIps(storage, '10.96.0.0/12', random);
  dual = serviceStrategy({ clusterIps: [ipv4, ipv6ClusterIps(storage, 'fd00:10:96::/108', random)], nodePorts });
  single = serviceStrategy({ clusterIps: [ipv4], nodePorts });
});

function service(spec: ServiceSpec): KubeObject {
  const object = { metadata: { name: 'web', namespace: 'default' }, spec: { type: 'ClusterIP', ...spec } };
  return object as unknown as KubeObject;
}

const specOf = (object: KubeObject): ServiceSpec => (object as unknown as Service).spec ?? {};

async function created(strategy: Strategy, spec: ServiceSpec): Promise<ServiceSpec> {
  const object = service(spec);
  await strategy.create?.(object, CONTEXT);
  await strategy.allocate?.(object, CONTEXT);
  return specOf(object);
}

async function updated(strategy: Strategy, old: ServiceSpec, change: ServiceSpec): Promise<ServiceSpec> {
  const object = service({ ...structuredClone(old), ...change });
  await strategy.update?.(object, service(old), CONTEXT);
  await strategy.updated?.(object, service(old));
  return specOf(object);
}

function claims(): string[] {
  return [...storage.of(IPADDRESSES).values()].map(({ object }) => object.metadata.name ?? '').sort();
}

it('warns of SCTP, which nothing here speaks', async () => {
  const warnings: string[] = [];
  const object = service({ ports: [{ port: 80 }, { name: 'sig', port: 132, protocol: 'SCTP' }] });
  await single.allocate?.(object, { ...CONTEXT, warn: (message) => warnings.push(message) });
  expect(warnings).toEqual([expect.stringMatching(/^spec\.ports\[1\]\.protocol: .* SCTP port$/)]);
});

describe('a new Service', () => {
  it.each<[string, ServiceSpec, string, string[], RegExp[]]>([
    ['says nothing', {}, 'SingleStack', ['IPv4'], [V4]],
    ['asks for IPv6', { ipFamilies: ['IPv6'] }, 'SingleStack', ['IPv6'], [V6]],
    ['has an IPv6 address', { clusterIP: 'fd00:10:96::77' }, 'SingleStack', ['IPv6'], [/^fd00:10:96::77$/]],
    ['prefers both', { ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack', ['IPv4', 'IPv6'], [V4, V6]],
    [
      'requires both, IPv6 first',
      { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
      'RequireDualStack',
      ['IPv6', 'IPv4'],
      [V6, V4],
    ],
    [
      'chooses both addresses',
      { ipFamilyPolicy: 'PreferDualStack', clusterIPs: ['fd00:10:96::5', '10.96.0.5'] },
      'PreferDualStack',
      ['IPv6', 'IPv4'],
      [/^fd00:10:96::5$/, /^10\.96\.0\.5$/],
    ],
    ['is headless', { clusterIP: 'None', selector: { app: 'web' } }, 'SingleStack', ['IPv4'], [/^None$/]],
    ['is headless without selector', { clusterIP: 'None' }, 'RequireDualStack', ['IPv4', 'IPv6'], [/^None$/]],
  ])('that %s', async (_, spec, policy, families, addresses) => {
    const result = await created(dual, spec);
    expect(result).toMatchObject({ ipFamilyPolicy: policy, ipFamilies: families });
    expect(result.clusterIPs).toHaveLength(addresses.length);
    for (const [i, pattern] of addresses.entries()) expect(result.clusterIPs?.[i]).toMatch(pattern);
    expect(result.clusterIP).toBe(result.clusterIPs?.[0]);
    expect(claims()).toEqual((result.clusterIPs ?? []).filter((address) => address !== 'None').sort());
  });

  it('that prefers both has one where the cluster has one', async () => {
    const result = await created(single, { ipFamilyPolicy: 'PreferDualStack' });
    expect(result).toMatchObject({ ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4'] });
    expect(result.clusterIPs).toHaveLength(1);
  });

  it.each<[ServiceSpec, string]>([
    [
      { ipFamilyPolicy: 'RequireDualStack' },
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [{ ipFamilies: ['IPv6'] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    [
      { clusterIP: 'fd00:10:96::5' },
      'spec.clusterIPs[0]: Invalid value: ["fd00:10:96::5"]: IPv6 is not configured on this cluster',
    ],
  ])('in a cluster of IPv4 alone may not be %j', async (spec, message) => {
    await expect(created(single, spec)).rejects.toThrow(message);
  });

  it.each<[ServiceSpec, string]>([
    [
      { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'] },
      `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified`,
    ],
    [
      { clusterIP: 'fd00:10:97::5' },
      'failed to allocate IP fd00:10:97::5: the provided IP (fd00:10:97::5) is not in the valid range. The range of valid IPs is fd00:10:96::/108',
    ],
  ])('may not be %j', async (spec, message) => {
    await expect(created(dual, spec)).rejects.toThrow(message);
    expect(claims()).toEqual([]);
  });

  it('gives back the first address when there is none of the second family', async () => {
    await created(dual, { clusterIP: 'fd00:10:96::5' });
    const both = { ipFamilyPolicy: 'RequireDualStack', clusterIPs: ['10.96.0.5', 'fd00:10:96::5'] };
    await expect(created(dual, both)).rejects.toThrow('provided IP is already allocated');
    expect(claims()).toEqual(['fd00:10:96::5']);
  });
});

describe('a change', () => {
  it('adds the second address and takes it away again', async () => {
    const one = await created(dual, {});
    const two = await updated(dual, one, { ipFamilyPolicy: 'RequireDualStack' });
    expect(two.ipFamilies).toEqual(['IPv4', 'IPv6']);
    expect(two.clusterIPs).toEqual([one.clusterIP, expect.stringMatching(V6)]);
    expect(claims()).toEqual([...(two.clusterIPs ?? [])].sort());
    const back = await updated(dual, two, { ipFamilyPolicy: 'SingleStack' });
    expect(back).toMatchObject({ ipFamilies: ['IPv4'], clusterIPs: [one.clusterIP] });
    expect(claims()).toEqual([one.clusterIP]);
  });

  it('of something else leaves both addresses, said or not', async () => {
    const two = await created(dual, { ipFamilyPolicy: 'PreferDualStack' });
    const silent = { clusterIP: undefined, clusterIPs: undefined, ipFamilies: undefined, ipFamilyPolicy: undefined };
    expect(await updated(dual, two, silent)).toEqual(two);
    expect(await updated(dual, two, { sessionAffinity: 'ClientIP' })).toMatchObject(two);
  });

  it.each<[string, ServiceSpec, string]>([
    ['the first family', { ipFamilies: ['IPv6', 'IPv4'] }, 'may not change once set'],
    [
      'families without saying so',
      { ipFamilies: ['IPv4'] },
      "must be set to 'SingleStack' when releasing the secondary",
    ],
    ['an address', { clusterIPs: ['10.96.0.9', 'fd00:10:96::9'], clusterIP: '10.96.0.9' }, 'may not change once set'],
  ])('may not take away %s', async (_, change, message) => {
    const two = await created(dual, { ipFamilyPolicy: 'RequireDualStack' });
    const errors = clusterIpChangeErrors({ ...two, ...change }, two);
    expect(errors.map((error) => error.message).join()).toContain(message);
    const before = claims();
    await dual.update?.(service({ ...structuredClone(two), ...change }), service(two), CONTEXT);
    expect(claims()).toEqual(before);
  });
});

it.each<[ServiceSpec, string]>([
  [{ ipFamilies: ['IPv4', 'IPv4'] }, 'spec.ipFamilies[1]: Duplicate value: "IPv4"'],
  [
    { clusterIPs: ['10.96.0.1', '10.96.0.2'], clusterIP: '10.96.0.1' },
    'spec.clusterIPs: Invalid value: ["10.96.0.1","10.96.0.2"]: may specify no more than one IP for each IP family',
  ],
  [
    { clusterIPs: ['10.96.0.1'], clusterIP: '10.96.0.1', ipFamilies: ['IPv6'] },
    'spec.clusterIPs[0]: Invalid value: "10.96.0.1": expected an IPv6 value as indicated by `ipFamilies[0]`',
  ],
  [
    { clusterIPs: ['None', '10.96.0.2'], clusterIP: 'None' },
    `spec.clusterIPs: Invalid value: ["None","10.96.0.2"]: 'None' must be the first and only value`,
  ],
])('validation says of %j', (spec, text) => {
  expect(clusterIpErrors(spec, 'spec').map(({ field, message }) => `${field}: ${message}`)).toEqual([text]);
});
