import type { Service } from 'kubernetes-types/core/v1.js';
import { expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { serviceWarnings } from './service-warnings.ts';

it.each<[string, Service, string[]]>([
  ['nothing of note', { spec: { clusterIP: '10.96.0.7', sessionAffinity: 'ClientIP' } }, []],
  [
    'the older annotation',
    { metadata: { annotations: { 'service.kubernetes.io/topology-aware-hints': 'auto' } } },
    [
      'annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead',
    ],
  ],
  [
    'a headless Service with what needs an address',
    {
      spec: { clusterIP: 'None', sessionAffinity: 'ClientIP', externalIPs: ['192.0.2.1'], loadBalancerIP: '192.0.2.2' },
    },
    [
      'spec.loadBalancerIP is ignored for headless services',
      'spec.externalIPs is ignored for headless services',
      'spec.SessionAffinity is ignored for headless services',
    ],
  ],
  [
    'an ExternalName with externalIPs',
    { spec: { type: 'ExternalName', externalName: 'a.example', externalIPs: ['192.0.2.1'] } },
    ['spec.externalIPs is ignored when spec.type is "ExternalName"'],
  ],
  [
    'a name of another type',
    { spec: { type: 'ClusterIP', externalName: 'a.example' } },
    ['spec.externalName is ignored when spec.type is not "ExternalName"'],
  ],
])('warns of %s', (_, service, warnings) => {
  expect(
    serviceWarnings({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, ...service } as KubeObject),
  ).toEqual(warnings);
});
