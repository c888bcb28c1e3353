/** cilium/json-mock: a small JSON server with curl beside it, the ships and clients of cilium's tutorials and connectivity tests. */
import { ALL_NETWORK, BUSYBOX_NETWORK } from '../../commands/toolset.ts';
import { COREUTILS } from '../../coreutils/toolset.ts';
import { type Image, lazyProgram } from '../../image.ts';
import { ALPINE_FILES } from '../distribution-files.ts';

export const jsonMockImage: Image = {
  repositories: ['cilium/json-mock'],
  entrypoint: ['/run.sh'],
  defaultCommand: [],
  programs: {
    ...COREUTILS,
    ...ALL_NETWORK,
    ...BUSYBOX_NETWORK,
    '/run.sh': lazyProgram(async () => (await import('./json-server.ts')).jsonServer),
  },
  files: ALPINE_FILES,
};
