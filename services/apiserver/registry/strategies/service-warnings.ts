/** What a Service says that has no effect: the original's warnings in its words, and one of ours. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { KubeObject } from '../../../../shared/api/object.ts';
import { HEADLESS } from '../../../../shared/api/validation/service-families.ts';

const DEPRECATED_HINTS = 'service.kubernetes.io/topology-aware-hints';
const TOPOLOGY_MODE = 'service.kubernetes.io/topology-mode';

export function serviceWarnings(object: KubeObject): string[] {
  // The decoder has checked the object against the Service type.
  const { metadata, spec = {} } = object as unknown as Service;
  const warnings: string[] = [];
  if (metadata?.annotations?.[DEPRECATED_HINTS] !== undefined) {
    warnings.push(`annotation ${DEPRECATED_HINTS} is deprecated, please use ${TOPOLOGY_MODE} instead`);
  }
  const hasExternalIps = (spec.externalIPs ?? []).length > 0;
  if (spec.clusterIP === HEADLESS) {
    if (spec.loadBalancerIP) warnings.push('spec.loadBalancerIP is ignored for headless services');
    if (hasExternalIps) warnings.push('spec.externalIPs is ignored for headless services');
    if (spec.sessionAffinity === 'ClientIP') warnings.push('spec.SessionAffinity is ignored for headless services');
  }
  const isExternalName = spec.type === 'ExternalName';
  if (isExternalName && hasExternalIps) warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (!isExternalName && spec.externalName) {
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  }
  return [...warnings, ...sctpWarnings(spec.ports)];
}

/** The original takes them, and so do manifests that are tried here: they are kept, and nothing answers. */
function sctpWarnings(ports: NonNullable<Service['spec']>['ports'] = []): string[] {
  return ports.flatMap(({ protocol }, index) =>
    protocol === 'SCTP'
      ? [`spec.ports[${index}].protocol: pods and nodes here speak TCP and UDP: nothing will answer this SCTP port`]
      : [],
  );
}
