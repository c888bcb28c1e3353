/** pause: idle until SIGTERM or SIGINT, then exit code 0. */
import type { Image, Program } from '../image.ts';
import { aborted } from '../program-io.ts';

export const pause: Program = async ({ process, signal }) => {
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.onSignal(name, () => process.exit({ code: 0 }));
  await aborted(signal);
  return 0;
};

export const pauseImage: Image = {
  repositories: ['pause'],
  entrypoint: ['/pause'],
  defaultCommand: [],
  programs: { '/pause': pause },
};
