/** node runs whatever is written for Node, unmodified, in a process of its own; beside it busybox' tools. */
import { type Image, lazyProgram } from '../image.ts';
import { busyboxImage } from './busybox.ts';
import { ALPINE_FILES } from './distribution-files.ts';

const node = lazyProgram(async () => (await import('../node-program/node-command.ts')).nodeProgram);

export const nodeImage: Image = {
  repositories: ['node'],
  defaultCommand: ['node'],
  programs: { ...busyboxImage.programs, node, '/usr/local/bin/node': node },
  files: ALPINE_FILES,
  remark: `its programs run on Node ${process.versions.node}, whatever the tag`,
  environment: { NODE_VERSION: process.versions.node },
};
