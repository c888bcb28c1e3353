/** Tables of Services, endpoints, ingress and policies. */
import type { Endpoints, LoadBalancerStatus, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Ingress, IngressClass, NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import { ageText, firstFew, labelsText, NONE, selectorText, UNSET } from './cell-text.ts';
import { AGE_COLUMN, NAME_COLUMN, type Printer, text, wide } from './printer.ts';

const SHOWN_ENDPOINTS = 3;

export const SERVICE_PRINTER: Printer<Service> = {
  columns: [
    NAME_COLUMN,
    text('Type'),
    text('Cluster-IP'),
    text('External-IP'),
    text('Port(s)'),
    AGE_COLUMN,
    wide('Selector'),
  ],
  cells: (service, nowMs) => [
    service.metadata?.name ?? '',
    service.spec?.type ?? '',
    service.spec?.clusterIPs?.[0] || service.spec?.clusterIP || NONE,
    externalAddresses(service),
    servicePorts(service),
    ageText(service.metadata?.creationTimestamp, nowMs),
    labelsText(service.spec?.selector),
  ],
};

function externalAddresses({ spec, status }: Service): string {
  const externalIPs = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case 'ExternalName':
      return spec.externalName ?? '';
    case 'LoadBalancer': {
      const addresses = [...loadBalancerAddresses(status?.loadBalancer), ...externalIPs];
      return addresses.length === 0 ? '<pending>' : addresses.join(',');
    }
    default:
      return externalIPs.length === 0 ? NONE : externalIPs.join(',');
  }
}

function loadBalancerAddresses(status: LoadBalancerStatus | undefined): string[] {
  const addresses = (status?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  return [...new Set(addresses.filter((address) => address !== ''))];
}

/** `80/TCP`, `80:30080/TCP`. */
function servicePorts({ spec }: Service): string {
  const ports = (spec?.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol ?? 'TCP'}` : `${port}/${protocol ?? 'TCP'}`,
  );
  return ports.length === 0 ? NONE : ports.join(',');
}

export const ENDPOINTS_PRINTER: Printer<Endpoints> = {
  columns: [NAME_COLUMN, text('Endpoints'), AGE_COLUMN],
  cells: ({ metadata, subsets }, nowMs) => {
    const endpoints = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
      ports.length === 0
        ? addresses.map(({ ip }) => ip)
        : ports.flatMap(({ port }) => addresses.map(({ ip }) => `${bracketed(ip)}:${port}`)),
    );
    return [
      metadata?.name ?? '',
      endpoints.length === 0 ? NONE : firstFew(endpoints, SHOWN_ENDPOINTS),
      ageText(metadata?.creationTimestamp, nowMs),
    ];
  },
};

function bracketed(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

export const ENDPOINT_SLICE_PRINTER: Printer<EndpointSlice> = {
  columns: [NAME_COLUMN, text('AddressType'), text('Ports'), text('Endpoints'), AGE_COLUMN],
  cells: ({ metadata, addressType, ports = [], endpoints = [] }, nowMs) => {
    const addresses = endpoints.flatMap((endpoint) => endpoint.addresses ?? []);
    const numbers = ports.map(({ port }) => (port === undefined ? '*' : String(port)));
    return [
      metadata?.name ?? '',
      addressType ?? '',
      numbers.length === 0 ? UNSET : firstFew(numbers, SHOWN_ENDPOINTS),
      addresses.length === 0 ? UNSET : firstFew(addresses, SHOWN_ENDPOINTS),
      ageText(metadata?.creationTimestamp, nowMs),
    ];
  },
};

export const NETWORK_POLICY_PRINTER: Printer<NetworkPolicy> = {
  columns: [NAME_COLUMN, text('Pod-Selector'), AGE_COLUMN],
  cells: ({ metadata, spec }, nowMs) => [
    metadata?.name ?? '',
    selectorText(spec?.podSelector),
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};

export const INGRESS_PRINTER: Printer<Ingress> = {
  columns: [NAME_COLUMN, text('Class'), text('Hosts'), text('Address'), text('Ports'), AGE_COLUMN],
  cells: ({ metadata, spec, status }, nowMs) => {
    const hosts = (spec?.rules ?? []).flatMap(({ host }) => (host ? [host] : []));
    return [
      metadata?.name ?? '',
      spec?.ingressClassName ?? NONE,
      hosts.length === 0 ? '*' : firstFew(hosts, 3),
      loadBalancerAddresses(status?.loadBalancer as LoadBalancerStatus | undefined).join(','),
      (spec?.tls ?? []).length > 0 ? '80, 443' : '80',
      ageText(metadata?.creationTimestamp, nowMs),
    ];
  },
};

export const INGRESS_CLASS_PRINTER: Printer<IngressClass> = {
  columns: [NAME_COLUMN, text('Controller'), text('Parameters'), AGE_COLUMN],
  cells: ({ metadata, spec }, nowMs) => {
    const parameters = spec?.parameters;
    const group = parameters?.apiGroup === undefined ? '' : `.${parameters.apiGroup}`;
    return [
      metadata?.name ?? '',
      spec?.controller ?? '',
      parameters === undefined ? NONE : `${parameters.kind}${group}/${parameters.name}`,
      ageText(metadata?.creationTimestamp, nowMs),
    ];
  },
};

interface IpAddress {
  readonly metadata?: { readonly name?: string };
  readonly spec?: {
    readonly parentRef?: {
      readonly group?: string;
      readonly resource?: string;
      readonly namespace?: string;
      readonly name?: string;
    };
  };
}

export const IP_ADDRESS_PRINTER: Printer<IpAddress> = {
  columns: [NAME_COLUMN, text('ParentRef')],
  cells: ({ metadata, spec }) => {
    const parent = spec?.parentRef;
    const resource = [parent?.resource, parent?.group].filter(Boolean).join('.');
    return [metadata?.name ?? '', [resource, parent?.namespace, parent?.name].filter(Boolean).join('/')];
  },
};

interface ServiceCidr {
  readonly metadata?: { readonly name?: string; readonly creationTimestamp?: string };
  readonly spec?: { readonly cidrs?: readonly string[] };
}

export const SERVICE_CIDR_PRINTER: Printer<ServiceCidr> = {
  columns: [NAME_COLUMN, text('CIDRs'), AGE_COLUMN],
  cells: ({ metadata, spec }, nowMs) => [
    metadata?.name ?? '',
    (spec?.cidrs ?? []).join(','),
    ageText(metadata?.creationTimestamp, nowMs),
  ],
};
