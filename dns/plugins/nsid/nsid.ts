/** Tells a client that asks which of many servers answered it (RFC 5001). */
import type { PluginSetup } from '../../plugin.ts';

const NSID_OPTION = 3;

export const setupNsid: PluginSetup = (directive, { environment }) => {
  const text = directive.words.length > 0 ? directive.words.join(' ') : (environment.PODWIRE_POD_NAME ?? 'localhost');
  const option = { code: NSID_OPTION, data: new TextEncoder().encode(text) };
  return {
    handler: (next) => async (query) => {
      const reply = await next(query);
      if (!query.edns?.optionCodes?.includes(NSID_OPTION)) return reply;
      return { ...reply, ednsOptions: [...(reply.ednsOptions ?? []), option] };
    },
  };
};
