/** calico: `/opt/cni/bin/install` of calico/cni writes the configuration that its environment holds, calico/node runs. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';
import { pluginCommand } from './plugin-command.ts';

const load = () => import('./calico-programs.ts');

/** `-s`: BIRD's socket. */
const birdc = pluginCommand({ name: 'birdc', ignored: { '-s': 1 } });

export const calicoImage: Image = {
  repositories: ['calico/node', 'calico/cni'],
  defaultCommand: ['start_runit'],
  programs: {
    ...busyboxImage.programs,
    '/opt/cni/bin/install': lazyProgram(async () => (await load()).installCni),
    start_runit: lazyProgram(async () => (await load()).calicoNode),
    birdcl: birdc,
    birdc,
  },
};
