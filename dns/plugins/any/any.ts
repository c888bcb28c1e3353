/** A query for every type of a name gets one small record (RFC 8482 section 4.2): nothing to amplify. */
import { expectWords } from '../../directive.ts';
import { emptyReply, type ResourceRecord } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';

const TTL_SECONDS = 8482;

export const setupAny: PluginSetup = (directive) => {
  expectWords(directive, 0, 0, 'no argument');
  return {
    handler: (next) => (query) => {
      const { name, type } = query.question;
      if (type !== 'ANY') return next(query);
      const data = { cpu: 'ANY obsoleted', os: 'See RFC 8482' };
      const record: ResourceRecord = { type: 'HINFO', name, ttl: TTL_SECONDS, data };
      return { ...emptyReply('NOERROR', true), answers: [record] };
    },
  };
};
