/** Texts that the cells of many kinds share. */
import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { humanDuration } from '../duration.ts';
import { labelSelectorText, selectorFromObject } from '../label-selector.ts';
import { parseTimestamp } from '../timestamp.ts';

export const NONE = '<none>';
export const UNKNOWN = '<unknown>';
export const UNSET = '<unset>';

/** Time since a timestamp: `5m30s`; `<unknown>` without one. */
export function ageText(timestamp: string | undefined, nowMs: number): string {
  const timeMs = timestamp === undefined ? undefined : parseTimestamp(timestamp);
  return timeMs === undefined ? UNKNOWN : humanDuration(nowMs - timeMs);
}

/** `a,b,c + 2 more...`. */
export function firstFew(texts: readonly string[], maximum: number): string {
  const shown = texts.slice(0, maximum).join(',');
  return texts.length > maximum ? `${shown} + ${texts.length - maximum} more...` : shown;
}

/** `a=b,c=d`, sorted; `<none>` when there are no labels. */
export function labelsText(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? NONE : entries.map(([key, value]) => `${key}=${value}`).join(',');
}

export function selectorText(selector: LabelSelector | undefined): string {
  if (selector === undefined) return NONE;
  const compiled = selectorFromObject(selector);
  const requirements = [...(compiled?.requirements ?? [])].sort((a, b) => (a.key < b.key ? -1 : 1));
  return requirements.length === 0 ? NONE : labelSelectorText({ requirements });
}

interface NamedImage {
  readonly name: string;
  readonly image?: string;
}

export function containerNames(containers: readonly NamedImage[] | undefined): string {
  return (containers ?? []).map(({ name }) => name).join(',');
}

export function containerImages(containers: readonly NamedImage[] | undefined): string {
  return (containers ?? []).map(({ image }) => image ?? '').join(',');
}

/** `ReadWriteOnce` -> `RWO`. */
const ACCESS_MODES: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};

export function accessModesText(modes: readonly string[] | undefined): string {
  return [...new Set(modes)].map((mode) => ACCESS_MODES[mode] ?? mode).join(',');
}

/** `True` and `False`, as printed of optional booleans. */
export function booleanText(value: boolean | undefined): string {
  return value === true ? 'True' : 'False';
}
