/** traefik/whoami: tells who answered and what was asked. */
import { type Image, lazyProgram } from '../image.ts';

export const whoamiImage: Image = {
  repositories: ['traefik/whoami', 'containous/whoami', 'whoami'],
  entrypoint: ['/whoami'],
  defaultCommand: [],
  programs: { '/whoami': lazyProgram(async () => (await import('./whoami-server.ts')).whoami) },
};
