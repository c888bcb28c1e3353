/**
 * What becomes of the names in the reply to a query whose name was changed: `answer auto` puts the client's name in the place
 * of the new one, in owners and values; `answer name|value FROM TO` replaces by pattern.
 */
import type { Directive } from '../../corefile.ts';
import { wrong } from '../../directive.ts';
import type { Reply, ResourceRecord } from '../../message.ts';
import { plainName } from '../../zone.ts';
import { type NameMatch, type NameReplacer, regexReplacer } from './name-match.ts';

export type AnswerRule = (reply: Reply, asked: string, rewritten: string) => Reply;

const FORM = 'answer auto, answer name FROM TO or answer value FROM TO';

export function answerRules(words: readonly string[], match: NameMatch, line: Directive): AnswerRule {
  const names: NameReplacer[] = [];
  const values: NameReplacer[] = [];
  let auto = false;
  for (let at = 0; at < words.length; ) {
    const [keyword, kind, from, to] = words.slice(at, at + 4);
    if (keyword !== 'answer') throw wrong(line, `${FORM} instead of '${keyword}'`);
    if (kind === 'auto') {
      if (match === 'regex') throw wrong(line, 'answer name or answer value: a regex cannot be undone by auto');
      auto = true;
      at += 2;
    } else {
      if ((kind !== 'name' && kind !== 'value') || from === undefined || to === undefined) throw wrong(line, FORM);
      (kind === 'name' ? names : values).push(regexReplacer(from, to, line));
      at += 4;
    }
  }
  // Without any rule owners are put back all the same where that is unambiguous: resolvers drop answers to other names.
  const restoreOwners = auto || (words.length === 0 && match !== 'regex');
  return (reply, asked, rewritten) => {
    const restore: NameReplacer = (name) => (name === plainName(rewritten) ? asked : undefined);
    const owners = restoreOwners ? [restore, ...names] : names;
    const targets = auto ? [restore, ...values] : values;
    const changed = (record: ResourceRecord): ResourceRecord => withTarget(withOwner(record, owners), targets);
    return {
      ...reply,
      answers: reply.answers.map(changed),
      authorities: reply.authorities.map(changed),
      additionals: reply.additionals.map(changed),
    };
  };
}

function replaced(name: string, replacers: readonly NameReplacer[]): string {
  for (const replace of replacers) {
    const changed = replace(plainName(name));
    if (changed !== undefined) return changed;
  }
  return name;
}

function withOwner(record: ResourceRecord, replacers: readonly NameReplacer[]): ResourceRecord {
  return { ...record, name: replaced(record.name, replacers) } as ResourceRecord;
}

function withTarget(record: ResourceRecord, replacers: readonly NameReplacer[]): ResourceRecord {
  switch (record.type) {
    case 'CNAME':
    case 'DNAME':
    case 'NS':
    case 'PTR':
      return { ...record, data: replaced(record.data, replacers) };
    case 'SRV':
      return { ...record, data: { ...record.data, target: replaced(record.data.target, replacers) } };
    case 'MX':
      return { ...record, data: { ...record.data, exchange: replaced(record.data.exchange, replacers) } };
    default:
      return record;
  }
}
