/** busybox: a shell with the small utilities; `busybox APPLET ARGS` runs any of them. */

import { ALL_NETWORK, BUSYBOX_NETWORK } from '../commands/toolset.ts';
import { COREUTILS } from '../coreutils/toolset.ts';
import type { Image, Program } from '../image.ts';
import { write } from '../program-io.ts';
import { execInPlace } from './entrypoint.ts';

const APPLETS: Readonly<Record<string, Program>> = { ...COREUTILS, ...ALL_NETWORK, ...BUSYBOX_NETWORK };

/** The multi-call binary: without arguments it lists its applets. */
export const busybox: Program = async (context) => {
  const argv = context.argv.slice(1);
  const [applet] = argv;
  if (applet === undefined || applet === '--list' || applet === '--help') {
    await write(context.stdout, `${Object.keys(APPLETS).sort().join('\n')}\n`);
    return 0;
  }
  if (APPLETS[applet] !== undefined) return execInPlace(context, argv);
  await write(context.stderr, `${applet}: applet not found\n`);
  return 127;
};

export const busyboxImage: Image = {
  repositories: ['busybox'],
  defaultCommand: ['sh'],
  programs: { ...APPLETS, busybox },
};
