/** netshoot: every network tool there is here, in one image. */

import { ALL_NETWORK } from '../commands/toolset.ts';
import { BASH, COREUTILS } from '../coreutils/toolset.ts';
import { type Image, lazyProgram } from '../image.ts';
import { ALPINE_FILES } from './distribution-files.ts';

const zsh = lazyProgram(async () => (await import('../shell/sh.ts')).sh);

export const netshootImage: Image = {
  repositories: ['nicolaka/netshoot', 'netshoot'],
  defaultCommand: ['zsh'],
  programs: { ...COREUTILS, ...BASH, zsh, ...ALL_NETWORK },
  files: ALPINE_FILES,
};
