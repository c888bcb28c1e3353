/** Hands whole zones to other name servers over TCP (AXFR, RFC 5936). Addresses in `to` say who may ask. */
import { BlockList, isIP } from 'node:net';
import { expectWords, unknownProperty, wrong } from '../../directive.ts';
import { emptyReply, type Reply, type ResourceRecord } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';
import { zonesOf } from '../../zone.ts';

/** Keeps messages far below 64 KiB. */
const RECORDS_PER_MESSAGE = 100;

export const setupTransfer: PluginSetup = (directive, { zones: serverZones, plugins }) => {
  const zones =
    directive.words.length === 0 ? serverZones : directive.words.flatMap((word) => zonesOf(word, directive));
  const allowed = new BlockList();
  let isForAll = false;
  for (const property of directive.block ?? []) {
    if (property.name !== 'to') throw unknownProperty(property, ['to']);
    expectWords(property, 1, Number.POSITIVE_INFINITY, "addresses or '*'");
    for (const word of property.words) {
      if (word === '*') isForAll = true;
      else if (isIP(word) === 0) throw wrong(property, `an address or '*' instead of '${word}'`);
      else allowed.addAddress(word, isIP(word) === 6 ? 'ipv6' : 'ipv4');
    }
  }
  if (directive.block === undefined || directive.block.length === 0) throw wrong(directive, "a block with 'to'");
  return {
    handler: (next) => async (query) => {
      const { key, type } = query.question;
      if ((type !== 'AXFR' && type !== 'IXFR') || !zones.includes(key)) return next(query);
      const { address } = query.remote;
      const isAllowed = isForAll || allowed.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
      if (!isAllowed || query.transport !== 'tcp') return emptyReply('REFUSED');
      for (const plugin of plugins()) {
        const records = plugin.zoneRecords?.(key);
        if (records !== undefined) return transferOf(records);
      }
      return next(query);
    },
  };
};

/** The zone between two copies of its SOA, in as many messages as it needs. */
function transferOf(records: readonly ResourceRecord[]): Reply {
  const soas = records.filter(({ type }) => type === 'SOA');
  const sequence = [...soas, ...records.filter(({ type }) => type !== 'SOA'), ...soas];
  const messages: Reply[] = [];
  for (let at = 0; at < sequence.length; at += RECORDS_PER_MESSAGE) {
    messages.push({ ...emptyReply('NOERROR', true), answers: sequence.slice(at, at + RECORDS_PER_MESSAGE) });
  }
  const [first = emptyReply('SERVFAIL'), ...following] = messages;
  return { ...first, following };
}
