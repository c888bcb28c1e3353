/** Every record of the cluster's zone, for a transfer: what the questions for all of its names would be answered. */
import type { ResourceRecord } from '../../message.ts';
import { type ClusterView, endpointName, isReverseZone, lookupRecords } from './answer.ts';
import type { DnsPort, DnsService } from './cluster-records.ts';

/** Undefined for reverse zones, which have no list of their names. */
export function wholeZone(zone: string, view: ClusterView): readonly ResourceRecord[] | undefined {
  if (isReverseZone(zone)) return undefined;
  const under = (name: string): string => (zone === '' ? name : `${name}.${zone}`);
  const found = (name: string, type: string): readonly ResourceRecord[] => {
    const lookup = lookupRecords({ name, key: name, type, zone }, view);
    if (lookup.kind === 'records') return lookup.answers;
    return lookup.kind === 'cname' ? [lookup.record] : [];
  };
  const addresses = (name: string): ResourceRecord[] => [...found(name, 'A'), ...found(name, 'AAAA')];
  const ofService = (service: DnsService): ResourceRecord[] => {
    const name = under(`${service.name}.${service.namespace}.svc`);
    if (service.kind === 'external') return [...found(name, 'CNAME')];
    const endpoints = view.options.endpoints ? view.records.endpoints(service.namespace, service.name) : [];
    const ports = service.kind === 'cluster' ? service.ports : endpoints.flatMap((endpoint) => endpoint.ports);
    const hostnames = new Set(endpoints.map((endpoint) => endpointName(endpoint, view.options)));
    return [
      ...addresses(name),
      ...portPrefixes(ports).flatMap((prefix) => found(`${prefix}.${name}`, 'SRV')),
      ...[...hostnames].flatMap((hostname) => addresses(`${hostname}.${name}`)),
    ];
  };
  return [
    ...found(zone, 'SOA'),
    ...found(zone, 'NS'),
    ...addresses(under('ns.dns')),
    ...found(under('dns-version'), 'TXT'),
    ...view.records.allServices().flatMap(ofService),
  ];
}

/** `_http._tcp` of the ports that have a name. */
function portPrefixes(ports: readonly DnsPort[]): string[] {
  const named = ports.filter(({ name }) => name !== '');
  return [...new Set(named.map(({ name, protocol }) => `_${name}._${protocol}`))];
}
