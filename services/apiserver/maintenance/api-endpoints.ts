/**
 * The endpoints of the `kubernetes` Service: the apiservers that live. Each renews a Lease of its own, and whoever looks
 * writes down all whose Lease has not run out (the original's `--endpoint-reconciler-type=lease`).
 */
import { isSame } from '../../../shared/api/json-equality.ts';
import { fieldAt, type KubeObject } from '../../../shared/api/object.ts';
import { ENDPOINTS, ENDPOINTSLICES, LEASES } from '../../../shared/api/resources.ts';
import { formatMicroTimestamp, parseTimestamp } from '../../../shared/api/timestamp.ts';
import { createOrReplace, deleteIfThere } from '../own-writes.ts';
import type { ApiCore } from '../registry/api-core.ts';

export const API_SERVICE_NAME = 'kubernetes';
const NAMESPACE = 'default';
const LEASE_NAMESPACE = 'kube-system';
const IDENTITY_LABEL = { 'apiserver.kubernetes.io/identity': 'kube-apiserver' };
const LEASE_SECONDS = 15;
/** How often a Lease is renewed. */
export const RENEW_MS = 5000;

export interface Advertised {
  readonly address: string;
  readonly port: number;
}

export class ApiEndpoints {
  private readonly core: ApiCore;
  private readonly leaseName: string;
  private readonly own: Advertised;

  /** `number`: 1 and up, another for each apiserver of the cluster. */
  constructor(core: ApiCore, number: number, own: Advertised) {
    this.core = core;
    this.leaseName = `apiserver-${number}`;
    this.own = own;
  }

  async renew(nowMs: number): Promise<void> {
    await createOrReplace(this.core, LEASES, this.lease(nowMs));
    await this.publish(nowMs);
  }

  private lease(nowMs: number): KubeObject {
    const { address, port } = this.own;
    return {
      metadata: { name: this.leaseName, namespace: LEASE_NAMESPACE, labels: IDENTITY_LABEL },
      spec: {
        holderIdentity: `${address}:${port}`,
        leaseDurationSeconds: LEASE_SECONDS,
        renewTime: formatMicroTimestamp(nowMs),
      },
    };
  }

  private async publish(nowMs: number): Promise<void> {
    const { storage } = this.core.context;
    const leases = [...storage.of(LEASES).values()].map(({ object }) => object);
    const living = livingServers(leases, nowMs);
    const endpoints = apiEndpoints(living);
    const present = storage.get(ENDPOINTS, API_SERVICE_NAME, NAMESPACE);
    const slices = apiEndpointSlices(living);
    if (!isSame(present?.subsets, endpoints.subsets)) await createOrReplace(this.core, ENDPOINTS, endpoints);
    for (const slice of slices) {
      const old = storage.get(ENDPOINTSLICES, slice.metadata.name ?? '', NAMESPACE);
      const isRight = isSame(old?.endpoints, slice.endpoints) && isSame(old?.ports, slice.ports);
      if (!isRight) await createOrReplace(this.core, ENDPOINTSLICES, slice);
    }
    const wanted = new Set(slices.map(({ metadata }) => metadata.name));
    for (const { object } of storage.of(ENDPOINTSLICES).list()) {
      const { name = '', namespace, labels } = object.metadata;
      const ours = namespace === NAMESPACE && labels?.['kubernetes.io/service-name'] === API_SERVICE_NAME;
      if (ours && !wanted.has(name)) await deleteIfThere(this.core, ENDPOINTSLICES, name, NAMESPACE);
    }
  }
}

/** Those of the Leases that have not run out, by address and port. */
export function livingServers(leases: readonly KubeObject[], nowMs: number): Advertised[] {
  const found: Advertised[] = [];
  for (const lease of leases) {
    const { namespace, labels } = lease.metadata;
    const isIdentity = Object.entries(IDENTITY_LABEL).every(([label, value]) => labels?.[label] === value);
    const renewedMs = parseTimestamp(String(fieldAt(lease, 'spec', 'renewTime'))) ?? 0;
    if (namespace !== LEASE_NAMESPACE || !isIdentity || renewedMs + LEASE_SECONDS * 1000 < nowMs) continue;
    const match = /^(.+):(\d+)$/.exec(String(fieldAt(lease, 'spec', 'holderIdentity')));
    if (match !== null) found.push({ address: match[1] as string, port: Number(match[2]) });
  }
  return found.sort((a, b) => a.port - b.port || (a.address < b.address ? -1 : 1));
}

function byPort(servers: readonly Advertised[]): [number, string[]][] {
  const groups = Map.groupBy(servers, ({ port }) => port);
  return [...groups].map(([port, group]) => [port, group.map(({ address }) => address)]);
}

export function apiEndpoints(servers: readonly Advertised[]): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: API_SERVICE_NAME,
      namespace: NAMESPACE,
      labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' },
    },
    subsets: byPort(servers).map(([port, addresses]) => ({
      addresses: addresses.map((ip) => ({ ip })),
      ports: [{ name: 'https', port, protocol: 'TCP' }],
    })),
  };
}

/** A slice has one list of ports: servers with another port stand in another one. */
export function apiEndpointSlices(servers: readonly Advertised[]): KubeObject[] {
  return byPort(servers).map(([port, addresses], i) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: i === 0 ? API_SERVICE_NAME : `${API_SERVICE_NAME}-${port}`,
      namespace: NAMESPACE,
      labels: { 'kubernetes.io/service-name': API_SERVICE_NAME },
    },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [{ name: 'https', port, protocol: 'TCP' }],
  }));
}
