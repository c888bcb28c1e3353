import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../compile/endpoint.ts';
import type { ServicePort } from '../compile/service-port.ts';
import type { ServiceState } from '../compile/service-state.ts';
import { staleUdpConnections } from './udp-flows.ts';

const endpoint = (address: number): Endpoint => ({
  address,
  port: 53,
  nodeName: 'worker-1',
  zoneHints: [],
  nodeHints: [],
  ready: true,
  serving: true,
  terminating: false,
});

function dns(protocol: 'udp' | 'tcp', ...endpoints: Endpoint[]): ServiceState {
  const port: ServicePort = {
    name: 'kube-system/kube-dns:dns',
    namespace: 'kube-system',
    serviceName: 'kube-dns',
    portName: 'dns',
    protocol,
    clusterIp: 10,
    port: 53,
    nodePort: 0,
    externalIps: [],
    loadBalancerIps: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: undefined,
    internalPolicyLocal: false,
    externalPolicyLocal: false,
    healthCheckNodePort: 0,
  };
  return { key: 'kube-system/kube-dns', ports: [{ port, endpoints }] };
}

const toService = { protocol: 'udp', originalDestination: 10, originalDestinationPort: 53 };

describe('UDP connections to forget', () => {
  it('those to an endpoint that went away', () => {
    expect(staleUdpConnections(dns('udp', endpoint(1), endpoint(2)), dns('udp', endpoint(2)))).toEqual([
      { ...toService, replySource: 1 },
    ]);
  });

  it('all when the first endpoint comes', () => {
    expect(staleUdpConnections(dns('udp'), dns('udp', endpoint(1)))).toEqual([toService]);
  });

  it('all of a Service that is gone', () => {
    expect(staleUdpConnections(dns('udp', endpoint(1)), { key: 'kube-system/kube-dns', ports: [] })).toEqual([
      toService,
    ]);
  });

  it('none of TCP', () => {
    expect(staleUdpConnections(dns('tcp', endpoint(1)), dns('tcp'))).toEqual([]);
  });

  it('none when nothing changed', () => {
    expect(staleUdpConnections(dns('udp', endpoint(1)), dns('udp', endpoint(1)))).toEqual([]);
  });
});
