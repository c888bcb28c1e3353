/** weave-kube: its launcher writes the CNI configuration and runs. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';
import { pluginCommand } from './plugin-command.ts';

const weave = pluginCommand({ name: 'weave', ignored: { '--local': 0 } });

export const weaveImage: Image = {
  repositories: ['weaveworks/weave-kube'],
  defaultCommand: ['/home/weave/launch.sh'],
  programs: {
    ...busyboxImage.programs,
    '/home/weave/launch.sh': lazyProgram(async () => (await import('./weave-kube.ts')).weaveKube),
    '/home/weave/weave': weave,
    weave,
  },
};
