/** `localhost` and the reverse names of loopback are answered here and never asked of others (RFC 6303, RFC 6761). */
import { expectWords } from '../../directive.ts';
import { emptyReply, type Reply, type ResourceRecord } from '../../message.ts';
import type { PluginSetup, Query } from '../../plugin.ts';
import { matchingZone } from '../../zone.ts';

const TTL_SECONDS = 86_400;
const LOOPBACK_V6 = `1.${'0.'.repeat(31)}ip6.arpa`;
const ZONES = ['localhost', '0.in-addr.arpa', '127.in-addr.arpa', '255.in-addr.arpa', LOOPBACK_V6];
const REVERSE = ['1.0.0.127.in-addr.arpa', LOOPBACK_V6];

export const setupLocal: PluginSetup = (directive) => {
  expectWords(directive, 0, 0, 'no argument');
  return {
    handler: (next) => async (query) => {
      const { key } = query.question;
      const zone = matchingZone(key, ZONES);
      if (zone !== undefined) return localReply(query, zone);
      // `localhost.N.svc.Z`: a search list made it.
      const answers = key.startsWith('localhost.') ? addressRecords(query) : [];
      return answers.length > 0 ? { ...emptyReply('NOERROR', true), answers } : next(query);
    },
  };
};

function localReply(query: Query, zone: string): Reply {
  const { name, key, type } = query.question;
  const answers: ResourceRecord[] = key === 'localhost' ? addressRecords(query) : [];
  if (REVERSE.includes(key) && type === 'PTR') answers.push({ type, name, ttl: TTL_SECONDS, data: 'localhost' });
  if (key === zone && type === 'SOA') answers.push(soaOf(zone));
  if (key === zone && type === 'NS') answers.push({ type, name, ttl: TTL_SECONDS, data: 'localhost' });
  if (answers.length > 0) return { ...emptyReply('NOERROR', true), answers };
  const exists = key === zone || REVERSE.includes(key);
  return { ...emptyReply(exists ? 'NOERROR' : 'NXDOMAIN', true), authorities: [soaOf(zone)] };
}

function addressRecords({ question: { name, type } }: Query): ResourceRecord[] {
  if (type === 'A') return [{ type, name, ttl: TTL_SECONDS, data: '127.0.0.1' }];
  return type === 'AAAA' ? [{ type, name, ttl: TTL_SECONDS, data: '::1' }] : [];
}

function soaOf(zone: string): ResourceRecord {
  const times = { serial: 1, refresh: TTL_SECONDS, retry: TTL_SECONDS, expire: TTL_SECONDS, minimum: TTL_SECONDS };
  return { type: 'SOA', name: zone, ttl: TTL_SECONDS, data: { mname: 'localhost', rname: 'root.localhost', ...times } };
}
