/** Azure's CNS, which generates the configuration of the plugin, as its own configuration says. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';

export const azureCnsImage: Image = {
  repositories: ['containernetworking/azure-cns'],
  entrypoint: ['/usr/local/bin/azure-cns'],
  defaultCommand: [],
  programs: {
    ...busyboxImage.programs,
    '/usr/local/bin/azure-cns': lazyProgram(async () => (await import('./azure-cns-daemon.ts')).azureCns),
  },
};
