/** One port of a Service as a proxy sees it: what may be connected to, and by which policies the endpoint is chosen. */
import type { Service, ServicePort as ServicePortSpec } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { familyOf, type IpFamily, type IpPrefix, parseAddress, parsePrefix } from '../../../shared/wire/ip-address.ts';

export type TransportProtocol = 'tcp' | 'udp' | 'sctp';

export interface ServicePort {
  /** `default/web:http`; `default/web` when the port has no name. */
  readonly name: string;
  readonly namespace: string;
  readonly serviceName: string;
  readonly portName: string;
  readonly protocol: TransportProtocol;
  /** As `shared/wire/ip-address.ts` has them; all of one family. */
  readonly clusterIp: number;
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
  readonly externalIps: readonly number[];
  readonly loadBalancerIps: readonly number[];
  /** Empty: everyone. */
  readonly loadBalancerSourceRanges: readonly IpPrefix[];
  /** Seconds a client stays with its endpoint; undefined without affinity. */
  readonly affinitySeconds: number | undefined;
  readonly internalPolicyLocal: boolean;
  readonly externalPolicyLocal: boolean;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
}

const DEFAULT_AFFINITY_SECONDS = 10800;
const OTHER_PROXY = 'service.kubernetes.io/service-proxy-name';
const PROTOCOLS: Readonly<Record<string, TransportProtocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/** The ports of a Service in one family; none for headless and ExternalName Services and those of another proxy. */
export function servicePorts(service: Live<Service>, family: IpFamily): ServicePort[] {
  const { type, clusterIP = '', clusterIPs = [] } = service.spec;
  if (type === 'ExternalName' || clusterIP === 'None') return [];
  if (service.metadata.labels?.[OTHER_PROXY] !== undefined) return [];
  const [clusterIp] = addressesOf([clusterIP, ...clusterIPs], family);
  if (clusterIp === undefined) return [];
  return (service.spec.ports ?? []).flatMap((port) => {
    const protocol = PROTOCOLS[port.protocol ?? 'TCP'];
    return protocol === undefined ? [] : [portOf(service, port, protocol, clusterIp)];
  });
}

function portOf(
  service: Live<Service>,
  port: ServicePortSpec,
  protocol: TransportProtocol,
  clusterIp: number,
): ServicePort {
  const { name: serviceName, namespace = '' } = service.metadata;
  const portName = port.name ?? '';
  const { spec } = service;
  const family = familyOf(clusterIp);
  const isLocal = spec.externalTrafficPolicy === 'Local';
  return {
    name: portName === '' ? `${namespace}/${serviceName}` : `${namespace}/${serviceName}:${portName}`,
    namespace,
    serviceName,
    portName,
    protocol,
    clusterIp,
    port: port.port,
    nodePort: port.nodePort ?? 0,
    externalIps: addressesOf(spec.externalIPs ?? [], family),
    loadBalancerIps: loadBalancerIps(service, family),
    loadBalancerSourceRanges: (spec.loadBalancerSourceRanges ?? []).flatMap((text) => {
      const prefix = parsePrefix(text.trim());
      return prefix !== undefined && familyOf(prefix.address) === family ? [prefix] : [];
    }),
    affinitySeconds: affinitySeconds(service),
    internalPolicyLocal: spec.internalTrafficPolicy === 'Local',
    externalPolicyLocal: isLocal,
    healthCheckNodePort: isLocal ? (spec.healthCheckNodePort ?? 0) : 0,
  };
}

function addressesOf(texts: readonly string[], family: IpFamily): number[] {
  return texts.flatMap((text) => {
    const address = parseAddress(text);
    return address !== undefined && familyOf(address) === family ? [address] : [];
  });
}

/** Addresses with `ipMode: Proxy` lead through the load balancer and are not short-cut here. */
function loadBalancerIps({ status }: Live<Service>, family: IpFamily): number[] {
  const ingress = (status?.loadBalancer?.ingress ?? []).filter(({ ipMode }) => ipMode !== 'Proxy');
  return addressesOf(
    ingress.flatMap(({ ip }) => ip ?? []),
    family,
  );
}

function affinitySeconds({ spec }: Live<Service>): number | undefined {
  if (spec.sessionAffinity !== 'ClientIP') return undefined;
  return spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
}

/** Reached from outside the cluster: node port, external or load balancer addresses. */
export function isExternallyAccessible(port: ServicePort): boolean {
  return port.nodePort !== 0 || port.externalIps.length > 0 || port.loadBalancerIps.length > 0;
}

/** Also with the Local policy: traffic of the node's own pods to an external address takes any endpoint. */
export function usesClusterEndpoints(port: ServicePort): boolean {
  return !port.internalPolicyLocal || isExternallyAccessible(port);
}

export function usesLocalEndpoints(port: ServicePort): boolean {
  return port.internalPolicyLocal || (port.externalPolicyLocal && isExternallyAccessible(port));
}
