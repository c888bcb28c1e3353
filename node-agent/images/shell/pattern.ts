/** Shell patterns (POSIX 2.13): `*`, `?`, bracket expressions, backslash escapes; as regular expressions. */
import { CHARACTER_CLASSES } from './character-classes.ts';

/** Characters that mean something in a pattern. */
export function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]]/g, '\\$&');
}

export function hasPatternCharacters(pattern: string): boolean {
  return /(?:^|[^\\])(?:\\\\)*[*?[]/.test(pattern);
}

/** The pattern's text with its escapes taken away. */
export function unescapePattern(pattern: string): string {
  return pattern.replace(/\\(.)/gs, '$1');
}

const compiled = new Map<string, RegExp>();
const COMPILED_LIMIT = 200;

/** A regular expression that matches a whole text as the pattern does. */
export function patternToRegExp(pattern: string): RegExp {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const expression = new RegExp(`^(?:${patternSource(pattern)})$`, 's');
  if (compiled.size >= COMPILED_LIMIT) compiled.clear();
  compiled.set(pattern, expression);
  return expression;
}

function patternSource(pattern: string): string {
  let source = '';
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern.charAt(index);
    if (character === '\\' && index + 1 < pattern.length) source += quoteRegExp(pattern.charAt(++index));
    else if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else if (character === '[') {
      const bracket = bracketSource(pattern, index);
      source += bracket?.source ?? '\\[';
      index = bracket?.end ?? index;
    } else source += quoteRegExp(character);
  }
  return source;
}

/** The bracket expression that starts at `start`; undefined when it never closes. */
function bracketSource(pattern: string, start: number): { readonly source: string; readonly end: number } | undefined {
  let index = start + 1;
  const negated = pattern.charAt(index) === '!' || pattern.charAt(index) === '^';
  if (negated) index += 1;
  let members = '';
  for (let first = true; index < pattern.length; first = false) {
    const character = pattern.charAt(index);
    if (character === ']' && !first) return { source: `[${negated ? '^' : ''}${members}]`, end: index };
    const named = /^\[:([a-z]+):\]/.exec(pattern.slice(index));
    if (named !== null) {
      members += CHARACTER_CLASSES[named[1] ?? ''] ?? '';
      index += named[0].length;
      continue;
    }
    if (character === '\\' && index + 1 < pattern.length) index += 1;
    const member = pattern.charAt(index);
    members += member === '-' && character !== '\\' ? '-' : member.replace(/[\\\]^[-]/g, '\\$&');
    index += 1;
  }
  return undefined;
}

function quoteRegExp(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
