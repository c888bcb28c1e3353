/** alpine: busybox' tools and /etc/os-release. */
import type { Image } from '../image.ts';
import { busyboxImage } from './busybox.ts';

export const alpineImage: Image = {
  repositories: ['alpine'],
  defaultCommand: ['/bin/sh'],
  programs: busyboxImage.programs,
  files: {
    '/etc/os-release': 'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.3\nPRETTY_NAME="Alpine Linux v3.20"\n',
    '/etc/alpine-release': '3.20.3\n',
  },
};
