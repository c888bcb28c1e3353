/**
 * The short name of a pod template's content (`pod-template-hash`, `controller-revision-hash`): FNV-1a over the template's
 * canonical JSON, written in the alphabet of generated names. The original hashes its own memory dump of the same struct,
 * so the values differ from it; that equal templates have equal hashes is what matters.
 */
import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import { same } from './same.ts';

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** No vowels, so no words; no look-alikes. */
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

export const POD_TEMPLATE_HASH = 'pod-template-hash';

/** `collisionCount` makes another hash when the first was taken by another template. */
export function templateHash(template: PodTemplateSpec, collisionCount = 0): string {
  const text = canonicalJson(withoutHash(template)) + (collisionCount > 0 ? `#${collisionCount}` : '');
  let hash = FNV_OFFSET;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME) >>> 0;
  return [...String(hash)].map((digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length]).join('');
}

/** Equal but for the hash label that controllers add. */
export function sameTemplate(left: PodTemplateSpec, right: PodTemplateSpec): boolean {
  return same(withoutHash(left), withoutHash(right));
}

function withoutHash(template: PodTemplateSpec): PodTemplateSpec {
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
