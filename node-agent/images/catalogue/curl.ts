/** curlimages/curl: arguments that name no program are curl's. */

import { ALL_NETWORK, BUSYBOX_NETWORK } from '../commands/toolset.ts';
import { COREUTILS } from '../coreutils/toolset.ts';
import type { Image, Program } from '../image.ts';
import { ALPINE_FILES } from './distribution-files.ts';
import { execInPlace } from './entrypoint.ts';

const entrypoint: Program = (context) => {
  const [first = '', ...rest] = context.argv.slice(1);
  const isProgram =
    !first.startsWith('-') && context.container.findExecutable(first, context.env.PATH, context.cwd).kind === 'found';
  return execInPlace(context, isProgram ? [first, ...rest] : ['curl', ...context.argv.slice(1)]);
};

export const curlImage: Image = {
  repositories: ['curlimages/curl', 'curl/curl'],
  entrypoint: ['/entrypoint.sh'],
  defaultCommand: ['curl', '--help'],
  programs: { ...COREUTILS, ...ALL_NETWORK, ...BUSYBOX_NETWORK, '/entrypoint.sh': entrypoint },
  files: ALPINE_FILES,
};
