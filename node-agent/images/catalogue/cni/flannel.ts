/** flannel: its installer is `cp`, as in the original's manifest, and `/opt/bin/flanneld` its daemon. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';

export const flannelImage: Image = {
  repositories: [
    'flannel-io/flannel',
    'flannel/flannel',
    'flannel-io/flannel-cni-plugin',
    'flannel/flannel-cni-plugin',
  ],
  defaultCommand: ['/opt/bin/flanneld'],
  programs: {
    ...busyboxImage.programs,
    '/opt/bin/flanneld': lazyProgram(async () => (await import('./flanneld.ts')).flanneld),
  },
};
