/**
 * Names of DNS as cilium's policies say them (docs.cilium.io, "DNS based"): `*` in a pattern stands for characters of one
 * label, none of them a dot; alone for every name; `**.` at the beginning for one label or more.
 */
import type { NamePattern } from './l7-rules.ts';

const NAME_CHARACTER = /[-a-z0-9_]/;
const WHOLE_LABEL = /^[-a-z0-9_]+$/;

/** `www.example.com.`: lower case, with the root's dot. */
export function fullName(name: string): string {
  const lower = name.trim().toLowerCase();
  return lower.endsWith('.') ? lower : `${lower}.`;
}

export function nameMatches({ matchName, matchPattern }: NamePattern, name: string): boolean {
  const full = fullName(name);
  if (matchName !== undefined && fullName(matchName) === full) return true;
  return matchPattern !== undefined && patternMatches(matchPattern, full);
}

/** One text for each pattern. */
export function patternText({ matchName, matchPattern }: NamePattern): string {
  const parts = [
    ...(matchName === undefined ? [] : [`matchName ${matchName}`]),
    ...(matchPattern === undefined ? [] : [`matchPattern ${matchPattern}`]),
  ];
  return parts.join(', ');
}

/** Label by label: a star ends at a dot, so that no pattern can be tried in many ways. */
function patternMatches(pattern: string, full: string): boolean {
  if (pattern.trim() === '*') return true;
  const wanted = fullName(pattern).split('.');
  const labels = full.split('.');
  if (wanted[0] !== '**') return labelsMatch(wanted, labels);
  const below = wanted.slice(1);
  const above = labels.length - below.length;
  const stands = above > 0 && labels.slice(0, above).every((label) => WHOLE_LABEL.test(label));
  return stands && labelsMatch(below, labels.slice(above));
}

function labelsMatch(wanted: readonly string[], labels: readonly string[]): boolean {
  return wanted.length === labels.length && wanted.every((pattern, i) => labelMatches(pattern, labels[i]!));
}

/** Where what follows a star does not fit, the star takes one character more; those before it need not change. */
function labelMatches(pattern: string, label: string): boolean {
  let [at, place] = [0, 0];
  let star: { readonly next: number; place: number } | undefined;
  while (place < label.length) {
    if (pattern[at] === '*') {
      star = { next: ++at, place };
    } else if (pattern[at] === label[place]) {
      at++;
      place++;
    } else if (star !== undefined && NAME_CHARACTER.test(label[star.place]!)) {
      star.place++;
      [at, place] = [star.next, star.place];
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
