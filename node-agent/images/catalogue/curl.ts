/** curlimages/curl: arguments that name no program are curl's. */
import { COREUTILS } from '../coreutils/toolset.ts';
import type { Image, Program } from '../image.ts';
import { execInPlace } from './entrypoint.ts';
import { NETWORK_TOOLS } from './network-tools.ts';

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
  programs: { ...COREUTILS, ...NETWORK_TOOLS, '/entrypoint.sh': entrypoint },
};
