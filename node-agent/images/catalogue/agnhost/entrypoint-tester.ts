/** `agnhost entrypoint-tester ARGS`: prints its command line as Go prints a slice. */
import type { Program } from '../../image.ts';
import { write } from '../../program-io.ts';

export const entrypointTester: Program = async ({ argv, stdout }) => {
  await write(stdout, `[${argv.join(' ')}]\n`);
  return 0;
};
