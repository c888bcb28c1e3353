/** Leaves the authority and additional sections out of answers, which are whole without them. */
import { expectWords } from '../../directive.ts';
import type { PluginSetup } from '../../plugin.ts';

export const setupMinimal: PluginSetup = (directive) => {
  expectWords(directive, 0, 0, 'no argument');
  return {
    handler: (next) => async (query) => {
      const reply = await next(query);
      // A denial needs its SOA and a delegation its name servers.
      if (reply.rcode !== 'NOERROR' || reply.answers.length === 0) return reply;
      return { ...reply, authorities: [], additionals: [] };
    },
  };
};
