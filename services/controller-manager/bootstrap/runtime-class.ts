/** The RuntimeClass of pods whose programs are the machine's, in network namespaces of its kernel. */
import { RUNTIMECLASSES } from '../../../shared/api/resources.ts';
import type { Manifest } from './manifest.ts';

export function netnsRuntimeClass(): Manifest {
  const object = { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'netns' }, handler: 'netns' };
  return { resource: RUNTIMECLASSES, object };
}
