/** The image of Kubernetes' page on debugging DNS: dig, nslookup and host in a Debian shell. */
import { BASH, COREUTILS } from '../coreutils/toolset.ts';
import type { Image } from '../image.ts';
import { NETWORK_TOOLS } from './network-tools.ts';

export const jessieDnsutilsImage: Image = {
  repositories: ['jessie-dnsutils', 'dnsutils'],
  defaultCommand: ['sleep', 'infinity'],
  programs: { ...COREUTILS, ...BASH, ...NETWORK_TOOLS },
};
