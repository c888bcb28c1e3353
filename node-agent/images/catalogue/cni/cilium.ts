/** cilium: `cilium-agent` reads the folder that its ConfigMap is mounted at, writes the CNI configuration, and runs. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';

export const ciliumImage: Image = {
  repositories: ['cilium/cilium'],
  defaultCommand: ['cilium-agent'],
  programs: {
    ...busyboxImage.programs,
    'cilium-agent': lazyProgram(async () => (await import('./cilium-agent.ts')).ciliumAgent),
  },
};
