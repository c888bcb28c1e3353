/** The image of Kubernetes' page on debugging DNS: dig, nslookup and host in a Debian shell. */

import { ALL_NETWORK } from '../commands/toolset.ts';
import { BASH, COREUTILS } from '../coreutils/toolset.ts';
import type { Image } from '../image.ts';
import { DEBIAN_FILES } from './distribution-files.ts';

export const jessieDnsutilsImage: Image = {
  repositories: ['jessie-dnsutils', 'dnsutils'],
  defaultCommand: ['sleep', 'infinity'],
  programs: { ...COREUTILS, ...BASH, ...ALL_NETWORK },
  files: DEBIAN_FILES,
};
