/** Bounds what UDP answers may measure, for paths that lose fragments. */
import { expectWords, integerWord } from '../../directive.ts';
import type { PluginSetup } from '../../plugin.ts';

const DEFAULT_BYTES = 1232;
const LEAST_BYTES = 512;
const MOST_BYTES = 4096;

export const setupBufsize: PluginSetup = (directive) => {
  expectWords(directive, 0, 1, `a size from ${LEAST_BYTES} to ${MOST_BYTES}`);
  const limitBytes = directive.words.length === 0 ? DEFAULT_BYTES : integerWord(directive, 0, LEAST_BYTES, MOST_BYTES);
  return {
    handler: (next) => async (query) => {
      const { edns } = query;
      if (edns === undefined || edns.payloadBytes <= limitBytes) return next(query);
      // Also servers that are asked on the client's behalf keep to it.
      const reply = await next({ ...query, edns: { ...edns, payloadBytes: limitBytes } });
      return { ...reply, udpLimitBytes: limitBytes };
    },
  };
};
