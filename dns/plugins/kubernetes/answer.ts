/**
 * The records of a name under the cluster's zone: a function of the cluster's state (the rules are in README.md).
 * `nodata`: the name exists, but not with this type. `nxdomain`: it does not.
 */
import { labelSelectorMatches } from '../../../shared/api/label-selector.ts';
import { canonicalAddress } from '../../ip-text.ts';
import type { ResourceRecord } from '../../message.ts';
import { addressOfReverse } from '../../zone.ts';
import type { ClusterRecords, DnsEndpoint, DnsPort, DnsService } from './cluster-records.ts';
import type { KubernetesOptions } from './options.ts';
import { addressOfDashed, dashedAddress, parseRequestName, type RequestName } from './request-name.ts';

export type Lookup =
  | {
      readonly kind: 'records';
      readonly answers: readonly ResourceRecord[];
      readonly additionals: readonly ResourceRecord[];
    }
  /** The target is resolved by asking the whole server. */
  | { readonly kind: 'cname'; readonly record: ResourceRecord; readonly target: string }
  | { readonly kind: 'nodata' }
  | { readonly kind: 'nxdomain' };

export interface LookupRequest {
  /** As the client wrote it. */
  readonly name: string;
  /** Lower case. */
  readonly key: string;
  readonly type: string;
  readonly zone: string;
}

export interface ClusterView {
  readonly records: ClusterRecords;
  readonly options: KubernetesOptions;
  /** The addresses of the cluster's DNS, for the glue of NS. */
  readonly dnsAddresses: readonly string[];
}

/** One address of a Service: where it is, and under which name it is known. */
interface Target {
  readonly address: string;
  readonly port: DnsPort | undefined;
  /** `S.N.svc.Z` or `H.S.N.svc.Z` */
  readonly name: string;
}

type ServiceName = RequestName & { readonly kind: 'service' };

const NODATA: Lookup = { kind: 'nodata' };
const NXDOMAIN: Lookup = { kind: 'nxdomain' };
const VERSION = '1.1.0';
const VERSION_TTL_SECONDS = 28_800;

export function lookupRecords(request: LookupRequest, view: ClusterView): Lookup {
  if (isReverseZone(request.zone)) return reverseRecords(request, view);
  const parsed = parseRequestName(request.key, request.zone);
  switch (parsed.kind) {
    case 'apex':
      return apexRecords(request, view);
    case 'branch':
      return NODATA;
    case 'name-server':
      return addressRecords(request, view, view.dnsAddresses);
    case 'version':
      return versionRecords(request);
    case 'namespace':
      return isExposed(parsed.namespace, view) ? NODATA : NXDOMAIN;
    case 'pod':
      return podRecords(request, parsed.namespace, parsed.pod, view);
    case 'service':
      return serviceRecords(request, parsed, view);
    case 'unknown':
      return NXDOMAIN;
  }
}

export function isReverseZone(zone: string): boolean {
  return zone.endsWith('in-addr.arpa') || zone.endsWith('ip6.arpa');
}

function records(answers: readonly ResourceRecord[], additionals: readonly ResourceRecord[] = []): Lookup {
  return answers.length === 0 ? NODATA : { kind: 'records', answers, additionals };
}

function nameServerOf(zone: string): string {
  return zone === '' ? 'ns.dns' : `ns.dns.${zone}`;
}

/** The SOA of a zone, also of its negative answers. */
export function soaRecord(zone: string, serial: number, ttlSeconds: number): ResourceRecord {
  return {
    type: 'SOA',
    name: zone === '' ? '.' : zone,
    ttl: ttlSeconds,
    data: {
      mname: nameServerOf(zone),
      rname: zone === '' ? 'hostmaster' : `hostmaster.${zone}`,
      serial,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: ttlSeconds,
    },
  };
}

function apexRecords({ name, type, zone }: LookupRequest, view: ClusterView): Lookup {
  const { ttlSeconds } = view.options;
  if (type === 'SOA') return records([{ ...soaRecord(zone, view.records.serial, ttlSeconds), name } as ResourceRecord]);
  if (type !== 'NS') return NODATA;
  const server = nameServerOf(zone);
  const glue = view.dnsAddresses.map((address) => addressRecord(server, address, ttlSeconds));
  return records([{ type: 'NS', name, ttl: ttlSeconds, data: server }], glue);
}

function versionRecords({ name, type }: LookupRequest): Lookup {
  return type === 'TXT' ? records([{ type: 'TXT', name, ttl: VERSION_TTL_SECONDS, data: VERSION }]) : NODATA;
}

function isExposed(namespace: string, { records: cluster, options }: ClusterView): boolean {
  const labels = cluster.namespaceLabels(namespace);
  if (labels === undefined) return false;
  if (options.namespaces.length > 0) return options.namespaces.includes(namespace);
  return options.namespaceLabels === undefined || labelSelectorMatches(options.namespaceLabels, labels);
}

function podRecords(request: LookupRequest, namespace: string, label: string, view: ClusterView): Lookup {
  const { pods } = view.options;
  if (pods === 'disabled' || !isExposed(namespace, view)) return NXDOMAIN;
  const address = addressOfDashed(label);
  if (address === undefined) return NXDOMAIN;
  if (pods === 'verified' && !view.records.hasPod(namespace, address)) return NXDOMAIN;
  return addressRecords(request, view, [address]);
}

function serviceRecords(request: LookupRequest, parsed: ServiceName, view: ClusterView): Lookup {
  const service = exposedService(parsed.namespace, parsed.service, view);
  if (service === undefined) return NXDOMAIN;
  if (service.kind === 'external') return externalRecords(request, parsed, service, view);
  const isWhole = parsed.endpoint === undefined && parsed.port === undefined;
  // What is asked for most, and most often.
  if (isWhole && service.kind === 'cluster' && service.ports.length > 0 && request.type !== 'SRV') {
    return addressRecords(request, view, service.clusterIps);
  }
  const targets = targetsOf(request.zone, parsed, service, view);
  if (targets.length === 0) return NXDOMAIN;
  if (request.type === 'SRV') return srvRecords(request, targets, view);
  return addressRecords(
    request,
    view,
    targets.map(({ address }) => address),
  );
}

function exposedService(namespace: string, name: string, view: ClusterView): DnsService | undefined {
  const service = view.records.service(namespace, name);
  if (service === undefined || !isExposed(namespace, view)) return undefined;
  const { labels, ignoreEmptyService } = view.options;
  if (labels !== undefined && !labelSelectorMatches(labels, service.labels)) return undefined;
  if (!ignoreEmptyService || service.kind !== 'cluster') return service;
  return view.records.endpoints(namespace, name).length === 0 ? undefined : service;
}

function externalRecords(
  { name, type }: LookupRequest,
  { endpoint, port }: ServiceName,
  { externalName }: DnsService,
  { options }: ClusterView,
): Lookup {
  if (endpoint !== undefined || port !== undefined) return NXDOMAIN;
  if (type !== 'A' && type !== 'AAAA' && type !== 'CNAME') return NODATA;
  const target = externalName.replace(/\.$/, '');
  return { kind: 'cname', record: { type: 'CNAME', name, ttl: options.ttlSeconds, data: target }, target };
}

function targetsOf(
  zone: string,
  { endpoint, port, protocol }: ServiceName,
  service: DnsService,
  { records: cluster, options }: ClusterView,
): Target[] {
  const name = `${service.name}.${service.namespace}.svc${zone === '' ? '' : `.${zone}`}`;
  const wanted = (candidate: DnsPort): boolean =>
    (port === undefined || candidate.name === port) && (protocol === undefined || candidate.protocol === protocol);
  if (service.kind === 'cluster' && endpoint === undefined) {
    const ports = service.ports.filter(wanted);
    return service.clusterIps.flatMap((address) => ports.map((one) => ({ address, port: one, name })));
  }
  if (!options.endpoints) return [];
  return cluster.endpoints(service.namespace, service.name).flatMap((candidate): Target[] => {
    const { address, ports } = candidate;
    const hostname = endpointName(candidate, options);
    if (endpoint !== undefined && endpoint !== hostname) return [];
    const own = `${hostname}.${name}`;
    if (ports.length === 0 && port === undefined) return [{ address, port: undefined, name: own }];
    return ports.filter(wanted).map((one) => ({ address, port: one, name: own }));
  });
}

/** The hostname, else (when asked for) the pod's name if it fits a label, else the address with dashes. */
export function endpointName(
  { hostname, podName, address }: DnsEndpoint,
  { endpointPodNames }: KubernetesOptions,
): string {
  if (hostname !== '') return hostname;
  if (endpointPodNames && podName !== '' && podName.length < 64) return podName;
  return dashedAddress(address);
}

function addressRecords({ name, type }: LookupRequest, { options }: ClusterView, addresses: readonly string[]): Lookup {
  if (type !== 'A' && type !== 'AAAA') return NODATA;
  const ofFamily = addresses.filter((address) => address.includes(':') === (type === 'AAAA'));
  const distinct = ofFamily.length < 2 ? ofFamily : [...new Set(ofFamily)];
  return records(distinct.map((address) => addressRecord(name, address, options.ttlSeconds)));
}

function addressRecord(name: string, address: string, ttl: number): ResourceRecord {
  return { type: address.includes(':') ? 'AAAA' : 'A', name, ttl, data: address };
}

/** A target with several addresses is one SRV record; its addresses come along as glue. */
function srvRecords({ name }: LookupRequest, targets: readonly Target[], { options }: ClusterView): Lookup {
  const ttl = options.ttlSeconds;
  const distinct = new Map<string, { readonly target: string; readonly port: number }>();
  const glue = new Map<string, ResourceRecord>();
  for (const { name: target, address, port } of targets) {
    if (port === undefined) continue;
    distinct.set(`${target} ${port.port}`, { target, port: port.port });
    glue.set(`${target} ${address}`, addressRecord(target, address, ttl));
  }
  const weight = Math.max(1, Math.floor(100 / distinct.size));
  const answers = [...distinct.values()].map(
    ({ target, port }): ResourceRecord => ({ type: 'SRV', name, ttl, data: { priority: 0, weight, port, target } }),
  );
  return records(answers, [...glue.values()]);
}

function reverseRecords({ name, key, type, zone }: LookupRequest, view: ClusterView): Lookup {
  const { ttlSeconds } = view.options;
  if (key === zone) {
    const soa = { ...soaRecord(zone, view.records.serial, ttlSeconds), name } as ResourceRecord;
    return type === 'SOA' ? records([soa]) : NODATA;
  }
  const address = addressOfReverse(key);
  const names = address === undefined ? [] : namesOfAddress(canonicalAddress(address), view);
  if (names.length === 0) return NXDOMAIN;
  if (type !== 'PTR') return NODATA;
  return records(names.map((data) => ({ type: 'PTR', name, ttl: ttlSeconds, data })));
}

function namesOfAddress(address: string, view: ClusterView): string[] {
  const zone = view.options.zones.find((candidate) => !isReverseZone(candidate));
  if (zone === undefined) return [];
  const suffix = `svc${zone === '' ? '' : `.${zone}`}`;
  const services = view.records.servicesWithIp(address).filter(({ namespace }) => isExposed(namespace, view));
  if (services.length > 0) return services.map(({ name, namespace }) => `${name}.${namespace}.${suffix}`);
  if (!view.options.endpoints) return [];
  return view.records
    .endpointsWithIp(address)
    .filter(({ namespace, service }) => exposedService(namespace, service, view) !== undefined)
    .map(({ endpoint, service, namespace }) => {
      return `${endpointName(endpoint, view.options)}.${service}.${namespace}.${suffix}`;
    });
}
