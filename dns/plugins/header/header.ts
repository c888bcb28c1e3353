/** Sets and clears flags in the header of queries and replies. */
import type { Directive } from '../../corefile.ts';
import { expectWords, wrong } from '../../directive.ts';
import type { Reply } from '../../message.ts';
import type { PluginSetup, Query } from '../../plugin.ts';

type Flag = 'aa' | 'ra' | 'rd';

interface Change {
  readonly on: 'query' | 'response';
  readonly flag: Flag;
  readonly value: boolean;
}

const FLAGS: readonly Flag[] = ['aa', 'ra', 'rd'];
const FORM = '[query|response] set|clear FLAG... with the flags aa, ra, rd';

export const setupHeader: PluginSetup = (directive) => {
  expectWords(directive, 0, 0, 'no argument but a block');
  const changes = (directive.block ?? []).flatMap(parseChanges);
  if (changes.length === 0) throw wrong(directive, `a block of lines ${FORM}`);
  const ofQuery = changes.filter(({ on }) => on === 'query');
  const ofReply = changes.filter(({ on }) => on === 'response');
  return {
    handler: (next) => async (query) => ofReply.reduce(changedReply, await next(ofQuery.reduce(changedQuery, query))),
  };
};

function parseChanges(line: Directive): Change[] {
  const words = [line.name, ...line.words];
  const on = words[0] === 'query' || words[0] === 'response' ? words[0] : undefined;
  const [action, ...flags] = on === undefined ? words : words.slice(1);
  if ((action !== 'set' && action !== 'clear') || flags.length === 0) throw wrong(line, FORM);
  return flags.map((word) => {
    const flag = FLAGS.find((known) => known === word.toLowerCase());
    if (flag === undefined) throw wrong(line, FORM);
    if (on === 'query' && flag !== 'rd') throw wrong(line, 'the flag rd: a query has no other one');
    return { on: on ?? 'response', flag, value: action === 'set' };
  });
}

function changedQuery(query: Query, { value }: Change): Query {
  return { ...query, recursionDesired: value };
}

function changedReply(reply: Reply, { flag, value }: Change): Reply {
  switch (flag) {
    case 'aa':
      return { ...reply, authoritative: value };
    case 'ra':
      return { ...reply, recursionAvailable: value };
    case 'rd':
      return { ...reply, recursionDesired: value };
  }
}
