/** Replies made from the question by patterns, for names that follow a rule. */
import { CorefileError, type Directive } from '../../corefile.ts';
import { expectWords, rcodeWord, unknownProperty, wrong } from '../../directive.ts';
import { fallsThrough, parseFallthrough } from '../../fallthrough.ts';
import { emptyReply, type Rcode, type ResourceRecord } from '../../message.ts';
import { patternOf } from '../../pattern.ts';
import type { PluginContext, PluginSetup, Query } from '../../plugin.ts';
import { recordTypeOf } from '../../record-type.ts';
import { matchingZone, zonesOf } from '../../zone.ts';

interface Template {
  readonly patterns: readonly RegExp[];
  readonly sections: Readonly<Record<Section, readonly string[]>>;
  readonly rcode: Rcode;
  readonly fallthrough: readonly string[];
}

const CLASSES = ['IN', 'CH', 'CS', 'HS', 'ANY'];

type Section = 'answer' | 'authority' | 'additional';

const PROPERTIES = ['match', 'answer', 'authority', 'additional', 'rcode', 'fallthrough'];

export const setupTemplate: PluginSetup = (directive, { zones: serverZones, lookup }) => {
  const [recordClass, type, ...words] = directive.words;
  if (recordClass === undefined || type === undefined) throw wrong(directive, 'CLASS TYPE [ZONE...]');
  if (!CLASSES.includes(recordClass.toUpperCase())) throw wrong(directive, `a class of ${CLASSES.join(', ')}`);
  const wantedType = recordTypeOf(type);
  if (wantedType === undefined) throw wrong(directive, `a record type such as A instead of '${type}'`);
  const zones = words.length === 0 ? serverZones : words.flatMap((word) => zonesOf(word, directive));
  const template = parseTemplate(directive);
  return {
    handler: (next) => async (query) => {
      const { question } = query;
      const isConcerned =
        (recordClass.toUpperCase() === 'ANY' || recordClass.toUpperCase() === question.class) &&
        (wantedType === 'ANY' || wantedType === question.type) &&
        matchingZone(question.key, zones) !== undefined;
      const match = isConcerned ? firstMatch(template.patterns, `${question.name}.`) : undefined;
      if (match === undefined) {
        if (!isConcerned || fallsThrough(question.key, template.fallthrough)) return next(query);
        return emptyReply('NXDOMAIN', true);
      }
      const records = (section: Section): ResourceRecord[] =>
        template.sections[section].map((text) => parseRecord(fillIn(text, query, match), directive));
      return {
        rcode: template.rcode,
        authoritative: true,
        answers: await withTarget(records('answer'), query, lookup),
        authorities: records('authority'),
        additionals: records('additional'),
      };
    },
  };
};

/** What an alias at the end leads to comes along, as a client that asked for addresses wants it. */
async function withTarget(
  answers: readonly ResourceRecord[],
  query: Query,
  lookup: PluginContext['lookup'],
): Promise<readonly ResourceRecord[]> {
  const { type } = query.question;
  const last = answers.at(-1);
  if (last?.type !== 'CNAME' || (type !== 'A' && type !== 'AAAA')) return answers;
  const target = await lookup(last.data, type, query);
  return target.rcode === 'NOERROR' ? [...answers, ...target.answers] : answers;
}

function parseTemplate(directive: Directive): Template {
  const patterns: RegExp[] = [];
  const sections: Record<Section, string[]> = { answer: [], authority: [], additional: [] };
  let rcode: Rcode = 'NOERROR';
  let fallthrough: string[] = [];
  for (const property of directive.block ?? []) {
    switch (property.name) {
      case 'match':
        patterns.push(...property.words.map((word) => patternOf(word, property)));
        break;
      case 'answer':
      case 'authority':
      case 'additional':
        expectWords(property, 1, 1, 'one record in quotes');
        sections[property.name].push(property.words[0] ?? '');
        break;
      case 'rcode':
        rcode = rcodeWord(property, 0);
        break;
      case 'fallthrough':
        fallthrough = parseFallthrough(property);
        break;
      default:
        throw unknownProperty(property, PROPERTIES);
    }
  }
  return { patterns: patterns.length > 0 ? patterns : [/.*/], sections, rcode, fallthrough };
}

function firstMatch(patterns: readonly RegExp[], name: string): RegExpExecArray | undefined {
  for (const one of patterns) {
    const match = one.exec(name);
    if (match !== null) return match;
  }
  return undefined;
}

function fillIn(text: string, { question }: Query, match: RegExpExecArray): string {
  return text
    .replace(/\{\{\s*\.Name\s*\}\}/g, `${question.name}.`)
    .replace(/\{\{\s*\.Type\s*\}\}/g, question.type)
    .replace(/\{\{\s*\.Class\s*\}\}/g, question.class)
    .replace(/\{\{\s*\.Group\.(\w+)\s*\}\}/g, (_, group: string) => match.groups?.[group] ?? '')
    .replace(/\{\{\s*index\s+\.Match\s+(\d+)\s*\}\}/g, (_, index: string) => match[Number(index)] ?? '');
}

const RECORD = /^(\S+)\s+(\d+)\s+(?:IN\s+)?(\S+)\s+(.+)$/;

/** `name ttl [IN] type data`, a line of a zone file. */
function parseRecord(text: string, directive: Directive): ResourceRecord {
  const [, owner = '', ttl, type, data = ''] = RECORD.exec(text.trim()) ?? [];
  const base = { name: owner.replace(/\.$/, ''), ttl: Number(ttl) };
  switch (type) {
    case 'A':
    case 'AAAA':
      return { ...base, type, data };
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return { ...base, type, data: data.replace(/\.$/, '') };
    case 'TXT':
      return { ...base, type, data: data.replace(/^"(.*)"$/, '$1') };
    case 'SRV': {
      const [priority, weight, port, target = ''] = data.split(/\s+/);
      const numbers = { priority: Number(priority), weight: Number(weight), port: Number(port) };
      return { ...base, type, data: { ...numbers, target: target.replace(/\.$/, '') } };
    }
    default:
      throw new CorefileError(
        directive,
        `'${text}' is not understood: expected NAME TTL IN TYPE DATA with TYPE A, AAAA, CNAME, NS, PTR, SRV or TXT`,
        'template',
      );
  }
}
