/** Names as real clusters have them for the same Services. */
import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Endpoint } from '../endpoint.ts';
import { servicePorts } from '../service-port.ts';
import { endpointNames, portNames } from './names.ts';

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();

function port(namespace: string, name: string, portName: string) {
  const metadata = { name, namespace, uid: 'u', creationTimestamp: '', resourceVersion: '1' };
  const spec = { clusterIP: '10.96.0.10', ports: [{ name: portName, port: 53, protocol: 'TCP' }] };
  return servicePorts({ metadata, spec }, 'ipv4')[0]!;
}

it('names chains of a Service port', () => {
  expect(portNames(port('kube-system', 'kube-dns', 'dns-tcp'), sha256)).toEqual({
    cluster: 'service-NWBZK7IH-kube-system/kube-dns/tcp/dns-tcp',
    local: 'local-NWBZK7IH-kube-system/kube-dns/tcp/dns-tcp',
    external: 'external-NWBZK7IH-kube-system/kube-dns/tcp/dns-tcp',
    firewall: 'firewall-NWBZK7IH-kube-system/kube-dns/tcp/dns-tcp',
  });
});

it('names the chain of an endpoint', () => {
  const endpoint = { address: 0x0ab4_0001, port: 80 } as Endpoint; // names come from these two alone
  expect(endpointNames(port('ns1', 'svc1', 'p80'), endpoint, sha256).chain).toBe(
    'endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80',
  );
});
