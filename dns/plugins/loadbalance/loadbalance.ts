/** Changes the order of address records, so that clients which take the first one spread. */
import { whenAnswered } from '../../answering.ts';
import { expectWords, wrong } from '../../directive.ts';
import type { ResourceRecord } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';

export const setupLoadbalance: PluginSetup = (directive, { random }) => {
  expectWords(directive, 0, 1, "'round_robin'");
  if ((directive.words[0] ?? 'round_robin') !== 'round_robin') throw wrong(directive, "'round_robin'");
  return {
    handler: (next) => (query) =>
      whenAnswered(next(query), (reply) => {
        const { type } = query.question;
        // The order of a zone transfer is its meaning (RFC 5936 section 2.2).
        if (reply.answers.length < 2 || type === 'AXFR' || type === 'IXFR') return reply;
        return { ...reply, answers: shuffled(reply.answers, (limit) => Math.floor(random.next() * limit)) };
      }),
  };
};

/** Aliases stay in front, then addresses in random order, then the rest. `below(n)` is uniform in [0, n). */
export function shuffled(records: readonly ResourceRecord[], below: (limit: number) => number): ResourceRecord[] {
  const isAddress = ({ type }: ResourceRecord): boolean => type === 'A' || type === 'AAAA' || type === 'MX';
  const aliases = records.filter(({ type }) => type === 'CNAME');
  const addresses = records.filter(isAddress);
  const rest = records.filter((record) => !isAddress(record) && record.type !== 'CNAME');
  for (let last = addresses.length - 1; last > 0; last--) {
    const other = below(last + 1);
    [addresses[last], addresses[other]] = [addresses[other] as ResourceRecord, addresses[last] as ResourceRecord];
  }
  return [...aliases, ...addresses, ...rest];
}
