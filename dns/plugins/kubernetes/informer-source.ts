/** The cluster's objects by informers over the bus, trimmed to what DNS needs as they arrive. */
import type { Namespace, Pod, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointPort, EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live, LiveMeta } from '../../../shared/api/live.ts';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { ENDPOINTSLICES, NAMESPACES, PODS, SERVICES } from '../../../shared/api/resources.ts';
import type { Bus } from '../../../shared/bus/connection.ts';
import { createInformer } from '../../../shared/bus/informer.ts';
import type { Clock } from '../../../shared/runtime/clock.ts';
import {
  ClusterRecords,
  type DnsEndpoint,
  type DnsPod,
  type DnsPort,
  type DnsService,
  type DnsSlice,
} from './cluster-records.ts';
import type { ClusterSource, OpenCluster } from './cluster-source.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

export function informerSource(bus: Bus, clock: Clock): ClusterSource {
  const records = new ClusterRecords();
  const follow = <T>(resource: ResourceRef, events: RecordEvents<T>): (() => boolean) => {
    const informer = createInformer<T>(bus, resource, { transform: events.trim });
    const touched = (apply: (object: T) => void) => (object: T) => {
      records.serial = Math.floor(clock.nowMs() / 1000);
      apply(object);
    };
    const put = touched(events.put);
    informer.subscribe({ added: put, updated: put, deleted: touched(events.remove) });
    void informer.start();
    return () => informer.synced;
  };
  let always: (() => boolean)[] | undefined;
  let pods: (() => boolean) | undefined;
  return {
    open(options): OpenCluster {
      always ??= [
        follow<Live<Namespace>>(NAMESPACES, namespaceEvents(records)),
        follow<Live<Service>>(SERVICES, serviceEvents(records)),
        follow<Live<EndpointSlice>>(ENDPOINTSLICES, sliceEvents(records)),
      ];
      if (options.pods) pods ??= follow<Live<Pod>>(PODS, podEvents(records));
      const needed = options.pods && pods !== undefined ? [...always, pods] : always;
      return { records, synced: () => needed.every((synced) => synced()) };
    },
  };
}

interface RecordEvents<T> {
  put(object: T): void;
  remove(object: T): void;
  /** Keeps only what `put` and `remove` read. */
  trim(object: T): T;
}

type SlimMeta = Pick<LiveMeta, 'name' | 'namespace' | 'uid' | 'labels' | 'resourceVersion' | 'creationTimestamp'>;

function slimMeta({ metadata }: { readonly metadata: LiveMeta }): SlimMeta {
  const { name, namespace, uid, labels, resourceVersion, creationTimestamp } = metadata;
  return { name, namespace, uid, labels, resourceVersion, creationTimestamp };
}

function namespaceEvents(records: ClusterRecords): RecordEvents<Live<Namespace>> {
  return {
    put: ({ metadata }) => records.setNamespace(metadata.name, metadata.labels ?? {}),
    remove: ({ metadata }) => records.removeNamespace(metadata.name),
    trim: (namespace) => ({ metadata: slimMeta(namespace), spec: {} }),
  };
}

function serviceEvents(records: ClusterRecords): RecordEvents<Live<Service>> {
  return {
    put: (service) => records.setService(dnsService(service)),
    remove: ({ metadata: { name, namespace = '' } }) => records.removeService({ name, namespace }),
    trim: (service) => {
      const { type, clusterIP, clusterIPs, externalName, ports } = service.spec;
      return { metadata: slimMeta(service), spec: { type, clusterIP, clusterIPs, externalName, ports } };
    },
  };
}

export function dnsService({ metadata, spec }: Live<Service>): DnsService {
  const kind = spec.type === 'ExternalName' ? 'external' : spec.clusterIP === 'None' ? 'headless' : 'cluster';
  const addresses = spec.clusterIPs ?? [spec.clusterIP ?? ''];
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    kind,
    clusterIps: kind === 'cluster' ? addresses.filter((address) => address !== '' && address !== 'None') : [],
    externalName: spec.externalName ?? '',
    ports: (spec.ports ?? []).map(dnsPort),
    labels: metadata.labels ?? {},
  };
}

function dnsPort({ name = '', protocol = 'TCP', port = 0 }: EndpointPort): DnsPort {
  return { name, protocol: protocol.toLowerCase(), port };
}

function sliceEvents(records: ClusterRecords): RecordEvents<Live<EndpointSlice>> {
  const remove = ({ metadata: { name, namespace = '' } }: Live<EndpointSlice>): void =>
    records.removeSlice({ name, namespace });
  return {
    put: (slice) => {
      const trimmed = dnsSlice(slice);
      if (trimmed === undefined) remove(slice);
      else records.setSlice(trimmed);
    },
    remove,
    trim: (slice) => {
      const { addressType, endpoints, ports } = slice;
      return { metadata: slimMeta(slice), addressType, endpoints, ports };
    },
  };
}

/** Undefined for a slice that belongs to no Service. */
export function dnsSlice({ metadata, endpoints, ports }: Live<EndpointSlice>): DnsSlice | undefined {
  const service = metadata.labels?.[SERVICE_NAME];
  if (service === undefined) return undefined;
  const dnsPorts = (ports ?? []).map(dnsPort);
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    service,
    endpoints: (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready ?? true)
      .flatMap(({ addresses, hostname = '', targetRef }): DnsEndpoint[] => {
        const podName = targetRef?.kind === 'Pod' ? (targetRef.name ?? '') : '';
        return addresses.map((address) => ({ address, hostname, podName, ports: dnsPorts }));
      }),
  };
}

function podEvents(records: ClusterRecords): RecordEvents<Live<Pod>> {
  return {
    put: (pod) => records.setPod(dnsPod(pod)),
    remove: ({ metadata: { name, namespace = '' } }) => records.removePod({ name, namespace }),
    trim: (pod) => ({
      metadata: slimMeta(pod),
      spec: { containers: [] },
      status: { podIP: pod.status?.podIP, podIPs: pod.status?.podIPs },
    }),
  };
}

function dnsPod({ metadata, status }: Live<Pod>): DnsPod {
  const addresses = status?.podIPs?.map(({ ip }) => ip ?? '') ?? [status?.podIP ?? ''];
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    addresses: addresses.filter((address) => address !== ''),
  };
}
