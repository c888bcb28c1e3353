/** Who may ask what: the first rule that fits a client's address and the type decides. */
import { BlockList, isIP } from 'node:net';
import { CorefileError, type Directive } from '../../corefile.ts';
import { unknownProperty, wrong } from '../../directive.ts';
import { type EdnsOption, emptyReply, type Reply } from '../../message.ts';
import type { PluginSetup, Query } from '../../plugin.ts';
import { recordTypeOf } from '../../record-type.ts';
import { matchingZone, zonesOf } from '../../zone.ts';

type Action = 'allow' | 'block' | 'filter' | 'drop';

interface Rule {
  readonly zones: readonly string[];
  readonly action: Action;
  /** Undefined: every type. */
  readonly types: ReadonlySet<string> | undefined;
  /** Undefined: every client. */
  readonly sources: BlockList | undefined;
}

const ACTIONS: readonly Action[] = ['allow', 'block', 'filter', 'drop'];
/** Extended DNS errors (RFC 8914). */
const EDE_OPTION = 15;
const EDE_BLOCKED = 15;
const EDE_FILTERED = 17;

export const setupAcl: PluginSetup = (directive, { directives, zones }) => {
  // The rules of several `acl` lines are one list, kept where the first stands.
  const own = directives.filter(({ name }) => name === 'acl');
  if (own[0] !== directive) return {};
  const rules = own.flatMap((one) => parseRules(one, zones));
  return {
    handler: (next) => (query) => {
      const action = rules.find((rule) => fits(rule, query))?.action ?? 'allow';
      return action === 'allow' ? next(query) : refusal(action);
    },
  };
};

function parseRules(directive: Directive, serverZones: readonly string[]): Rule[] {
  const zones =
    directive.words.length === 0 ? serverZones : directive.words.flatMap((word) => zonesOf(word, directive));
  const lines = directive.block ?? [];
  if (lines.length === 0) throw wrong(directive, `a block of rules, each one of ${ACTIONS.join(', ')}`);
  return lines.map((line) => {
    const action = ACTIONS.find((known) => known === line.name);
    if (action === undefined) throw unknownProperty(line, ACTIONS);
    return { zones, action, ...parseConditions(line) };
  });
}

/** `[type TYPE...] [net NETWORK...]` */
function parseConditions(line: Directive): Pick<Rule, 'types' | 'sources'> {
  const words: { type: string[]; net: string[] } = { type: [], net: [] };
  let section: keyof typeof words | undefined;
  for (const word of line.words) {
    if (word === 'type' || word === 'net') section = word;
    else if (section === undefined) throw wrong(line, `'type' or 'net' instead of '${word}'`);
    else words[section].push(word);
  }
  for (const name of ['type', 'net'] as const) {
    if (line.words.includes(name) && words[name].length === 0) throw wrong(line, `something after '${name}'`);
  }
  const isForAll = (list: readonly string[]): boolean => list.length === 0 || list.includes('*');
  return {
    types: isForAll(words.type) ? undefined : new Set(words.type.map((word) => typeOf(word, line))),
    sources: isForAll(words.net) ? undefined : networks(words.net, line),
  };
}

function typeOf(word: string, line: Directive): string {
  const type = recordTypeOf(word);
  if (type === undefined) throw wrong(line, `a record type such as A instead of '${word}'`);
  return type;
}

function networks(words: readonly string[], line: Directive): BlockList {
  const list = new BlockList();
  for (const word of words) {
    const [address = '', length] = word.split('/');
    const family = isIP(address);
    const bits = family === 4 ? 32 : 128;
    const prefixLength = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
    if (family === 0 || !(prefixLength <= bits)) {
      throw new CorefileError(line, `'${word}' is no network: expected one such as 10.244.0.0/16`);
    }
    list.addSubnet(address, prefixLength, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

function fits({ zones, types, sources }: Rule, { question, remote }: Query): boolean {
  if (matchingZone(question.key, zones) === undefined) return false;
  if (types !== undefined && !types.has(question.type)) return false;
  return sources === undefined || sources.check(remote.address, isIP(remote.address) === 6 ? 'ipv6' : 'ipv4');
}

function refusal(action: Exclude<Action, 'allow'>): Reply {
  switch (action) {
    case 'block':
      return { ...emptyReply('REFUSED'), ednsOptions: [extendedError(EDE_BLOCKED)] };
    case 'filter':
      return { ...emptyReply('NOERROR'), ednsOptions: [extendedError(EDE_FILTERED)] };
    case 'drop':
      return { ...emptyReply('REFUSED'), dropped: true };
  }
}

function extendedError(code: number): EdnsOption {
  return { code: EDE_OPTION, data: Uint8Array.of(code >>> 8, code & 255) };
}
