/** POSIX regular expressions (basic and extended) as JavaScript's. */
import { CHARACTER_CLASSES } from '../shell/character-classes.ts';
import { UsageError } from './options.ts';

export interface RegularExpressionOptions {
  readonly extended: boolean;
  readonly flags?: string;
}

/** Throws `UsageError` for a pattern that is no regular expression. */
export function regularExpression(pattern: string, options: RegularExpressionOptions): RegExp {
  try {
    return new RegExp(translate(pattern, options.extended), options.flags ?? '');
  } catch (error) {
    if (error instanceof SyntaxError) throw new UsageError(`bad regex '${pattern}': Invalid regexp`);
    throw error;
  }
}

/** Operators that a basic expression writes with a backslash. */
const BASIC_OPERATORS = '(){}|+?';

function translate(pattern: string, extended: boolean): string {
  let source = '';
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern.charAt(index);
    if (character === '[') {
      const bracket = translateBracket(pattern, index);
      source += bracket.source;
      index = bracket.end;
    } else if (character === '\\') {
      const next = pattern.charAt(++index);
      if (!extended && BASIC_OPERATORS.includes(next)) source += next;
      else if (next === '<') source += '\\b(?=\\w)';
      else if (next === '>') source += '\\b(?<=\\w)';
      else if (next === '`') source += '^';
      else if (next === "'") source += '$';
      else if (/[1-9wWsSbBnt]/.test(next)) source += `\\${next}`;
      else source += next === '' ? '\\\\' : next.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    } else if (!extended && BASIC_OPERATORS.includes(character)) source += `\\${character}`;
    else if (character === '*' && isStart(source, extended)) source += '\\*';
    else if (character === '{' && !/^\{\d*(,\d*)?\}/.test(pattern.slice(index))) source += '\\{';
    else if (!extended && character === '^' && index > 0 && !source.endsWith('(') && !source.endsWith('|'))
      source += '\\^';
    else if (!extended && character === '$' && index < pattern.length - 1 && !/^\$\\[)|]/.test(pattern.slice(index)))
      source += '\\$';
    else source += character === '/' ? '\\/' : character;
  }
  return source;
}

/** A star with nothing before it stands for itself. */
function isStart(source: string, extended: boolean): boolean {
  return source === '' || (!extended && (source === '^' || source.endsWith('(')));
}

function translateBracket(pattern: string, start: number): { readonly source: string; readonly end: number } {
  let index = start + 1;
  let source = '[';
  if (pattern.charAt(index) === '^') {
    source += '^';
    index += 1;
  }
  for (let first = true; index < pattern.length; first = false) {
    const character = pattern.charAt(index);
    if (character === ']' && !first) return { source: `${source}]`, end: index };
    const named = /^\[[:.=]([a-z-]+)[:.=]\]/.exec(pattern.slice(index));
    if (named !== null) {
      source += CHARACTER_CLASSES[named[1] ?? ''] ?? named[1] ?? '';
      index += named[0].length;
      continue;
    }
    source += /[\\[\]^]/.test(character) ? `\\${character}` : character;
    index += 1;
  }
  throw new UsageError(`bad regex '${pattern}': Missing ']'`);
}
