import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../object.ts';
import { errorTexts } from './validate.testkit.ts';

describe('services', () => {
  test.each<[JsonObject, string]>([
    [{ ports: [{ port: 70000 }] }, 'spec.ports[0].port: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    [{}, 'spec.ports: Required value'],
    [{ ports: [{ port: 1 }, { port: 2, name: 'b' }] }, 'spec.ports[0].name: Required value'],
    [
      {
        ports: [
          { port: 1, name: 'a' },
          { port: 2, name: 'a' },
        ],
      },
      'spec.ports[1].name: Duplicate value: "a"',
    ],
    [
      {
        ports: [
          { port: 1, name: 'a' },
          { port: 1, name: 'b' },
        ],
      },
      'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,"TargetPort":0,"NodePort":0}',
    ],
    [
      { type: 'x', ports: [{ port: 1 }] },
      'spec.type: Unsupported value: "x": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
    ],
    [
      { clusterIP: 'x', ports: [{ port: 1 }] },
      'spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)',
    ],
    [
      { clusterIP: 'None', type: 'NodePort', ports: [{ port: 1 }] },
      'spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services',
    ],
    [
      { ports: [{ port: 1, nodePort: 30000 }] },
      "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ],
    [{ type: 'ExternalName' }, 'spec.externalName: Required value'],
    [
      { type: 'ExternalName', externalName: 'a.example', clusterIP: '10.96.0.9' },
      'spec.clusterIPs: Forbidden: may not be set for ExternalName services',
    ],
    [
      { type: 'NodePort', ports: [{ port: 1 }], loadBalancerSourceRanges: ['10.0.0.0/8'] },
      "spec.LoadBalancerSourceRanges: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { type: 'LoadBalancer', ports: [{ port: 1 }], loadBalancerSourceRanges: ['10.0.0.0/8', 'x'] },
      'spec.LoadBalancerSourceRanges[1]: Invalid value: "x": must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)',
    ],
    [
      { ports: [{ port: 1 }], allocateLoadBalancerNodePorts: false },
      "spec.allocateLoadBalancerNodePorts: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { ports: [{ port: 1 }], loadBalancerClass: 'a/b' },
      "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
    ],
    [
      { type: 'NodePort', ports: [{ port: 1 }], healthCheckNodePort: 30000 },
      "spec.healthCheckNodePort: Invalid value: 30000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
    ],
    [
      {
        ports: [{ port: 1 }],
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 90000 } },
      },
      'spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: 90000: must be greater than 0 and less than 86400',
    ],
  ])('%j', (spec, text) => {
    expect(errorTexts('v1', 'Service', { spec })).toContain(text);
  });

  test('the two annotations for topology say the same', () => {
    const mode = 'service.kubernetes.io/topology-mode';
    const hints = 'service.kubernetes.io/topology-aware-hints';
    const texts = (annotations: JsonObject) =>
      errorTexts('v1', 'Service', { metadata: { annotations }, spec: { ports: [{ port: 1 }] } });
    expect(texts({ [mode]: 'Auto', [hints]: 'Auto' })).toEqual([]);
    expect(texts({ [mode]: 'Auto', [hints]: 'Disabled' })).toEqual([
      `metadata.annotations[${mode}]: Invalid value: "Auto": must match annotations[${hints}] when both are specified`,
    ]);
  });

  test('headless services need no ports', () => {
    expect(errorTexts('v1', 'Service', { spec: { clusterIP: 'None' } })).toEqual([]);
  });

  test('endpoints', () => {
    const slice = { addressType: 'IPv4', endpoints: [{ addresses: ['127.0.0.1'] }] };
    expect(errorTexts('discovery.k8s.io/v1', 'EndpointSlice', slice)).toEqual([
      'endpoints[0].addresses[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ]);
    expect(errorTexts('discovery.k8s.io/v1', 'EndpointSlice', { addressType: 'IPv4', endpoints: [] })).toEqual([]);
  });
});
