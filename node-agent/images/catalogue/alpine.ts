/** alpine: busybox' tools and /etc/os-release. */
import type { Image } from '../image.ts';
import { busyboxImage } from './busybox.ts';
import { ALPINE_FILES } from './distribution-files.ts';

export const alpineImage: Image = {
  repositories: ['alpine'],
  defaultCommand: ['/bin/sh'],
  programs: busyboxImage.programs,
  files: ALPINE_FILES,
};
