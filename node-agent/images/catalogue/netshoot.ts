/** netshoot: every network tool there is here, in one image. */
import { BASH, COREUTILS } from '../coreutils/toolset.ts';
import { type Image, lazyProgram } from '../image.ts';
import { NETWORK_TOOLS } from './network-tools.ts';

const zsh = lazyProgram(async () => (await import('../shell/sh.ts')).sh);

export const netshootImage: Image = {
  repositories: ['nicolaka/netshoot', 'netshoot'],
  defaultCommand: ['zsh'],
  programs: { ...COREUTILS, ...BASH, zsh, ...NETWORK_TOOLS },
};
