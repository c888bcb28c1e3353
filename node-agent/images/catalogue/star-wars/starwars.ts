/** cilium/starwars: the API of the Death Star, of cilium's first tutorial. */
import { type Image, lazyProgram } from '../../image.ts';
import { busyboxImage } from '../busybox.ts';

export const starwarsImage: Image = {
  repositories: ['cilium/starwars'],
  entrypoint: ['/starwars-docker'],
  defaultCommand: ['--port=80', '--host=0.0.0.0'],
  programs: {
    ...busyboxImage.programs,
    '/starwars-docker': lazyProgram(async () => (await import('./deathstar.ts')).deathstar),
  },
};
