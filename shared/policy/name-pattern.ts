/**
 * Names of DNS as cilium's policies say them (docs.cilium.io, "DNS based"): `*` in a pattern stands for characters of one
 * label, none of them a dot; alone for every name; `**.` at the beginning for one label or more.
 */
import type { NamePattern } from './l7-rules.ts';

const LABEL = '[-a-z0-9_]';
const compiled = new Map<string, RegExp>();
/** Patterns come from policies; far more than any cluster's policies have are a leak. */
const MAX_COMPILED = 10_000;

/** `www.example.com.`: lower case, with the root's dot. */
export function fullName(name: string): string {
  const lower = name.trim().toLowerCase();
  return lower.endsWith('.') ? lower : `${lower}.`;
}

export function nameMatches({ matchName, matchPattern }: NamePattern, name: string): boolean {
  const full = fullName(name);
  if (matchName !== undefined && fullName(matchName) === full) return true;
  return matchPattern !== undefined && expressionOf(matchPattern).test(full);
}

/** One text for each pattern. */
export function patternText({ matchName, matchPattern }: NamePattern): string {
  const parts = [
    ...(matchName === undefined ? [] : [`matchName ${matchName}`]),
    ...(matchPattern === undefined ? [] : [`matchPattern ${matchPattern}`]),
  ];
  return parts.join(', ');
}

function expressionOf(pattern: string): RegExp {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    if (compiled.size >= MAX_COMPILED) compiled.clear();
    expression = compile(pattern);
    compiled.set(pattern, expression);
  }
  return expression;
}

function compile(pattern: string): RegExp {
  if (pattern.trim() === '*') return /^/;
  const full = fullName(pattern);
  const isDeep = full.startsWith('**.');
  const rest = (isDeep ? full.slice('**.'.length) : full).replace(/\*+/g, '*');
  const body = rest.replace(/[.*+?^${}()|[\]\\]/g, (character) => (character === '*' ? `${LABEL}*` : `\\${character}`));
  return new RegExp(`^${isDeep ? `(${LABEL}+\\.)+` : ''}${body}$`);
}
