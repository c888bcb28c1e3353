/**
 * Finds out whether this server forwards to itself: at start it asks for a random name, and when that question comes back more
 * than twice, the process ends with an explanation instead of circling for ever.
 */

import type { Timer } from '../../../shared/runtime/clock.ts';
import { expectWords } from '../../directive.ts';
import { emptyReply } from '../../message.ts';
import type { PluginSetup } from '../../plugin.ts';

const SEEN_LIMIT = 2;
const PROBE_MS = 30_000;

export const setupLoop: PluginSetup = (directive, { clock, random, zones, lookup, halt }) => {
  expectWords(directive, 0, 0, 'no argument');
  const zone = zones[0] ?? '';
  const token = `${random.integer(1, 2 ** 31)}.${random.integer(1, 2 ** 31)}`;
  const probe = zone === '' ? token : `${token}.${zone}`;
  let probing = true;
  let seen = 0;
  let timer: Timer | undefined;
  return {
    handler: (next) => (query) => {
      const { type, key } = query.question;
      if (!probing || type !== 'HINFO' || key !== probe) return next(query);
      if (++seen <= SEEN_LIMIT) return next(query);
      probing = false;
      const source = `${query.remote.address}:${query.remote.port}`;
      halt(
        `plugin/loop: Loop (${source} -> :53) detected for zone "${zone}.": this server is one of its own upstreams; ` +
          `name others in the forward plugin. Query: "HINFO ${probe}."`,
      );
      return emptyReply('SERVFAIL');
    },
    start() {
      timer = clock.setTimer(PROBE_MS, () => {
        probing = false;
      });
      // Whether there is an answer, and which, does not matter.
      void lookup(probe, 'HINFO');
    },
    stop: () => timer?.cancel(),
  };
};
