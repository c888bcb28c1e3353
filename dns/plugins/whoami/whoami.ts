/** Answers any name with the client's own address and port. */
import { expectWords } from '../../directive.ts';
import { emptyReply, type ResourceRecord } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';

export const setupWhoami: PluginSetup = (directive) => {
  expectWords(directive, 0, 0, 'no argument');
  return {
    handler: () => (query) => {
      const { name } = query.question;
      const { address, port } = query.remote;
      const type = address.includes(':') ? 'AAAA' : 'A';
      const source: ResourceRecord = { type, name, ttl: 0, data: address };
      const service: ResourceRecord = {
        type: 'SRV',
        name: `_${query.transport}.${name}`,
        ttl: 0,
        data: { port, target: '' },
      };
      return { ...emptyReply('NOERROR', true), additionals: [source, service] };
    },
  };
};
