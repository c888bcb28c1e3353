/** The images whose containers are processes of the cluster's own components. */
import { entryPoint, nodeOptions } from '../../shared/runtime/entry-point.ts';
import type { ProcessImage } from './process-runtime.ts';

export function componentImages(): ProcessImage[] {
  return [
    { repository: 'kube-proxy', entry: entryPoint('kube-proxy'), nodeOptions: nodeOptions('kube-proxy') },
    { repository: 'coredns', entry: entryPoint('coredns'), nodeOptions: nodeOptions('coredns') },
  ];
}
