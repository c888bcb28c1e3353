/** Failures are printed with their stack: where in the code they arose. */
import { expectWords } from '../../directive.ts';
import type { PluginSetup } from '../../plugin.ts';

export const setupDebug: PluginSetup = (directive, { directives, print }) => {
  expectWords(directive, 0, 0, 'no argument');
  // The errors plugin sees a failure first, and prints its stack beside its own line.
  if (directives.some(({ name }) => name === 'errors')) return {};
  return {
    handler: (next) => async (query) => {
      try {
        return await next(query);
      } catch (error) {
        print('DEBUG', error instanceof Error ? (error.stack ?? error.message) : String(error));
        throw error;
      }
    },
  };
};
