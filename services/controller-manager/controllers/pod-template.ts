/** A pod as its controller makes it from a template. */
import type { Pod, PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import type { ResourceRef } from '../../../shared/api/resource.ts';
import { controllerReference } from '../owner.ts';

interface Owner {
  readonly metadata: { readonly name: string; readonly uid: string; readonly namespace?: string };
}

/** The API server completes the name from `generateName`. */
export function podFromTemplate(template: PodTemplateSpec, resource: ResourceRef, owner: Owner): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      labels: { ...labels },
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [controllerReference(resource, owner)],
    },
    spec: structuredClone(template.spec ?? { containers: [] }),
  };
}
