/** Gateway API's echo-basic: every request is answered with a description of itself. */
import { type Image, lazyProgram } from '../../image.ts';

export const echoBasic = lazyProgram(async () => (await import('./echo-basic-server.ts')).echoBasic);

export const echoBasicImage: Image = {
  repositories: ['echo-basic', 'echoserver'],
  entrypoint: ['/echo-basic'],
  defaultCommand: [],
  programs: { '/echo-basic': echoBasic },
};
