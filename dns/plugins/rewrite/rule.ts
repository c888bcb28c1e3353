/** One `rewrite` line: `rewrite [continue|stop] FIELD ...` as a function of the query. */
import type { Directive } from '../../corefile.ts';
import { rcodeWord, wrong } from '../../directive.ts';
import type { Reply, ResourceRecord } from '../../message.ts';
import type { Query } from '../../plugin.ts';
import { recordTypeOf } from '../../record-type.ts';
import { plainName } from '../../zone.ts';
import { answerRules } from './answer-rule.ts';
import { MATCHES, matcherOf, type NameMatcher, replacerOf } from './name-match.ts';

/** What a rule does to the reply of a query that it changed; `lookup` asks this server. */
export type Undo = (reply: Reply, lookup: (name: string, type: string) => Promise<Reply>) => Reply | Promise<Reply>;

export interface Applied {
  readonly query: Query;
  readonly undo?: Undo;
}

export interface Rule {
  readonly stop: boolean;
  /** Undefined when the rule is not for this query. */
  readonly apply: (query: Query) => Applied | undefined;
}

const FIELDS = ['name', 'type', 'class', 'ttl', 'cname', 'rcode'];
const CLASSES = ['IN', 'CH', 'CS', 'HS', 'ANY'];
const MAX_TTL_SECONDS = 2_147_483_647;

/** Throws CorefileError. A block's lines continue the line itself. */
export function parseRule(directive: Directive): Rule {
  const lines = (directive.block ?? []).flatMap(({ name, words }) => [name, ...words]);
  const words = [...directive.words, ...lines];
  const hasAction = words[0] === 'stop' || words[0] === 'continue';
  const [field = '', ...rest] = hasAction ? words.slice(1) : words;
  return { stop: words[0] !== 'continue', apply: applyOf(field, { ...directive, words: rest }) };
}

function applyOf(field: string, line: Directive): Rule['apply'] {
  switch (field) {
    case 'name':
      return nameRule(line);
    case 'type':
      return typeRule(line);
    case 'class':
      return classRule(line);
    case 'ttl':
      return ttlRule(line);
    case 'cname':
      return cnameRule(line);
    case 'rcode':
      return rcodeRule(line);
    default:
      throw wrong(line, `[continue|stop] and one of ${FIELDS.join(', ')} instead of '${field}'`);
  }
}

/** Words without the way of matching in front, which is `exact` when none is named. */
function matchWords(line: Directive): { readonly match: (typeof MATCHES)[number]; readonly words: readonly string[] } {
  const match = MATCHES.find((known) => known === line.words[0]);
  return match === undefined ? { match: 'exact', words: line.words } : { match, words: line.words.slice(1) };
}

function nameRule(line: Directive): Rule['apply'] {
  const { match, words } = matchWords(line);
  const [from, to, ...options] = words;
  if (from === undefined || to === undefined) throw wrong(line, `name [${MATCHES.join('|')}] FROM TO [answer ...]`);
  const replace = replacerOf(match, from, to, line);
  const answers = answerRules(options, match, line);
  return (query) => {
    const { question } = query;
    const name = replace(question.key);
    if (name === undefined || !isName(name)) return undefined;
    const changed = { ...query, question: { ...question, name, key: plainName(name) } };
    return { query: changed, undo: (reply) => answers(reply, question.name, name) };
  };
}

/** RFC 1035 section 2.3.4; a pattern may make what is no name. */
function isName(name: string): boolean {
  return name.length <= 253 && (name === '' || name.split('.').every((label) => label !== '' && label.length <= 63));
}

function typeRule(line: Directive): Rule['apply'] {
  const [from, to] = line.words.map(recordTypeOf);
  if (from === undefined || to === undefined || line.words.length !== 2)
    throw wrong(line, 'type FROM TO, such as A AAAA');
  return (query) =>
    query.question.type === from ? { query: { ...query, question: { ...query.question, type: to } } } : undefined;
}

function classRule(line: Directive): Rule['apply'] {
  const [from, to] = line.words.map((word) => CLASSES.find((known) => known === word.toUpperCase()));
  if (from === undefined || to === undefined || line.words.length !== 2) {
    throw wrong(line, `class FROM TO with two of ${CLASSES.join(', ')}`);
  }
  return (query) =>
    query.question.class === from ? { query: { ...query, question: { ...query.question, class: to } } } : undefined;
}

/** `ttl [MATCH] NAME TTL`, where a TTL is seconds or bounds: `30`, `30-300`, `-300`, `30-`. */
function ttlRule(line: Directive): Rule['apply'] {
  const { match, words } = matchWords(line);
  const [name, text = ''] = words;
  const bounds = /^(?:(\d+)|(\d*)-(\d*))$/.exec(text);
  if (name === undefined || words.length !== 2 || bounds === null || text === '-') {
    throw wrong(line, `ttl [${MATCHES.join('|')}] NAME SECONDS, where SECONDS may be 30, 30-300, 30- or -300`);
  }
  const least = Number(bounds[1] ?? (bounds[2] || 0));
  const most = Number(bounds[1] ?? (bounds[3] || MAX_TTL_SECONDS));
  if (least > most || most > MAX_TTL_SECONDS)
    throw wrong(line, `a TTL of at most ${MAX_TTL_SECONDS}, the smaller one first`);
  const bounded = (record: ResourceRecord): ResourceRecord =>
    'ttl' in record ? ({ ...record, ttl: Math.min(Math.max(record.ttl ?? 0, least), most) } as ResourceRecord) : record;
  return onReply(matcherOf(match, name, line), (reply) => ({
    ...reply,
    answers: reply.answers.map(bounded),
    authorities: reply.authorities.map(bounded),
    additionals: reply.additionals.map(bounded),
  }));
}

/** `rcode [MATCH] NAME FROM TO` */
function rcodeRule(line: Directive): Rule['apply'] {
  const { match, words } = matchWords(line);
  const [name] = words;
  if (name === undefined || words.length !== 3) throw wrong(line, `rcode [${MATCHES.join('|')}] NAME FROM TO`);
  const codes = { ...line, words };
  const [from, to] = [rcodeWord(codes, 1), rcodeWord(codes, 2)];
  return onReply(matcherOf(match, name, line), (reply) => (reply.rcode === from ? { ...reply, rcode: to } : reply));
}

function onReply(matches: NameMatcher, undo: Undo): Rule['apply'] {
  return (query) => (matches(query.question.key) ? { query, undo } : undefined);
}

/** `cname [MATCH] FROM TO`: an alias that leads to FROM leads to TO, whose records take the place of the former ones. */
function cnameRule(line: Directive): Rule['apply'] {
  const { match, words } = matchWords(line);
  const [from, to] = words;
  if (from === undefined || to === undefined || words.length !== 2) {
    throw wrong(line, `cname [${MATCHES.join('|')}] FROM TO`);
  }
  const replace = replacerOf(match, from, to, line);
  return (query) => ({
    query,
    async undo(reply, lookup) {
      for (const [index, record] of reply.answers.entries()) {
        const target = record.type === 'CNAME' ? replace(plainName(record.data)) : undefined;
        if (record.type !== 'CNAME' || target === undefined) continue;
        const alias = { ...record, data: target };
        const { type } = query.question;
        const found = type === 'CNAME' ? [] : (await lookup(target, type)).answers;
        return { ...reply, answers: [...reply.answers.slice(0, index), alias, ...found] };
      }
      return reply;
    },
  });
}
