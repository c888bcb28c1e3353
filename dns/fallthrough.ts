/** `fallthrough [zone...]`: unknown names of these zones (all without any) are passed on to the next plugin. */
import type { Directive } from './corefile.ts';
import { matchingZone, zonesOf } from './zone.ts';

export function parseFallthrough(property: Directive): string[] {
  return property.words.length === 0 ? [''] : property.words.flatMap((word) => zonesOf(word, property));
}

export function fallsThrough(name: string, zones: readonly string[]): boolean {
  return matchingZone(name, zones) !== undefined;
}
