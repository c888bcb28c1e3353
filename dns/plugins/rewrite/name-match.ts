/** The ways in which a rule finds a name, and what it makes of it. Names are lower case and without the final dot. */
import type { Directive } from '../../corefile.ts';
import { patternOf } from '../../pattern.ts';
import { plainName } from '../../zone.ts';

export const MATCHES = ['exact', 'prefix', 'suffix', 'substring', 'regex'] as const;
export type NameMatch = (typeof MATCHES)[number];

export type NameMatcher = (name: string) => boolean;
/** The new name; undefined when this one is not concerned. */
export type NameReplacer = (name: string) => string | undefined;

export function matcherOf(match: NameMatch, from: string, line: Directive): NameMatcher {
  const replace = replacerOf(match, from, '', line);
  return (name) => replace(name) !== undefined;
}

export function replacerOf(match: NameMatch, from: string, to: string, line: Directive): NameReplacer {
  const [before, after] = [plainName(from), plainName(to)];
  switch (match) {
    case 'exact':
      return (name) => (name === before ? after : undefined);
    case 'prefix':
      return (name) => (name.startsWith(from.toLowerCase()) ? to.toLowerCase() + name.slice(from.length) : undefined);
    case 'suffix':
      return (name) =>
        name.endsWith(before) ? plainName(name.slice(0, name.length - before.length) + after) : undefined;
    case 'substring':
      return (name) =>
        name.includes(from.toLowerCase()) ? name.replaceAll(from.toLowerCase(), () => to.toLowerCase()) : undefined;
    case 'regex':
      return regexReplacer(from, to, line);
  }
}

/** `{1}` in the new name is what the first group matched. Patterns may or may not count with the final dot. */
export function regexReplacer(from: string, to: string, line: Directive): NameReplacer {
  const pattern = patternOf(from, line);
  return (name) => {
    const match = pattern.exec(name) ?? pattern.exec(`${name}.`);
    if (match === null) return undefined;
    return plainName(to.replace(/\{(\d+)\}/g, (_, group: string) => match[Number(group)] ?? ''));
  };
}
