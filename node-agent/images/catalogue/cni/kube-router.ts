/** kube-router: its installer is `cp`, as in the original's manifest, and the flags of its daemon choose the overlay. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';

export const kubeRouterImage: Image = {
  repositories: ['cloudnativelabs/kube-router'],
  entrypoint: ['/usr/local/bin/kube-router'],
  defaultCommand: [],
  programs: {
    ...busyboxImage.programs,
    '/usr/local/bin/kube-router': lazyProgram(async () => (await import('./kube-router-daemon.ts')).kubeRouter),
  },
};
