/** The `cache` lines of a Corefile. */
import type { Directive } from '../../corefile.ts';
import { durationWord, expectWords, integerWord, unknownProperty, wrong } from '../../directive.ts';
import { zonesOf } from '../../zone.ts';
import type { TableLimits } from './reply-table.ts';

export interface Prefetch {
  /** Hits, no two further apart than `withinMs`, that make a name popular. */
  readonly amount: number;
  readonly withinMs: number;
  /** A popular name is asked for again when this share of its time is left. */
  readonly remainingShare: number;
}

export interface CacheOptions {
  readonly zones: readonly string[];
  readonly success: TableLimits;
  readonly denial: TableLimits;
  /** Zones whose answers, or denials, are not kept. */
  readonly withoutSuccess: readonly string[];
  readonly withoutDenial: readonly string[];
  readonly servfailMs: number;
  /** Answers that are over may be served for so long; 0: never. */
  readonly staleMs: number;
  /** A fresh answer is asked for first, and what is over serves only when there is none. */
  readonly staleVerify: boolean;
  readonly prefetch: Prefetch | undefined;
  readonly keepTtl: boolean;
}

const CAPACITY = 9984;
const SUCCESS_TTL_SECONDS = 3600;
const DENIAL_TTL_SECONDS = 1800;
const LEAST_TTL_SECONDS = 5;
const LONGEST_TTL_SECONDS = 86_400;
const SERVFAIL_MS = 5000;
const MOST_SERVFAIL_MS = 300_000;
const STALE_MS = 3_600_000;
const PREFETCH_WITHIN_MS = 60_000;
const PROPERTIES = ['success', 'denial', 'prefetch', 'serve_stale', 'servfail', 'disable', 'keepttl'];

export function parseCacheOptions(directive: Directive, serverZones: readonly string[]): CacheOptions {
  const hasTtl = /^\d+$/.test(directive.words[0] ?? '');
  const ttl = hasTtl ? integerWord(directive, 0, 1, LONGEST_TTL_SECONDS) : undefined;
  const named = directive.words.slice(hasTtl ? 1 : 0).flatMap((word) => zonesOf(word, directive));
  const zones = named.length === 0 ? serverZones : named;
  const limits = (most: number): TableLimits => ({
    capacity: CAPACITY,
    maxTtlSeconds: ttl ?? most,
    minTtlSeconds: LEAST_TTL_SECONDS,
  });
  let options: CacheOptions = {
    zones,
    success: limits(SUCCESS_TTL_SECONDS),
    denial: limits(DENIAL_TTL_SECONDS),
    withoutSuccess: [],
    withoutDenial: [],
    servfailMs: SERVFAIL_MS,
    staleMs: 0,
    staleVerify: false,
    prefetch: undefined,
    keepTtl: false,
  };
  for (const property of directive.block ?? []) options = { ...options, ...readProperty(property, options) };
  return options;
}

function readProperty(property: Directive, options: CacheOptions): Partial<CacheOptions> {
  switch (property.name) {
    case 'success':
      return { success: tableLimits(property, options.success) };
    case 'denial':
      return { denial: tableLimits(property, options.denial) };
    case 'disable': {
      const [what, ...words] = property.words;
      const zones = words.length === 0 ? options.zones : words.flatMap((word) => zonesOf(word, property));
      if (what === 'success') return { withoutSuccess: zones };
      if (what === 'denial') return { withoutDenial: zones };
      throw wrong(property, "'success' or 'denial', and zones");
    }
    case 'servfail': {
      expectWords(property, 1, 1, 'a duration such as 5s');
      const servfailMs = durationWord(property, 0);
      if (servfailMs > MOST_SERVFAIL_MS) throw wrong(property, 'at most 5m');
      return { servfailMs };
    }
    case 'serve_stale':
      return staleOf(property);
    case 'prefetch':
      return { prefetch: prefetchOf(property) };
    case 'keepttl':
      expectWords(property, 0, 0, 'no argument');
      return { keepTtl: true };
    default:
      throw unknownProperty(property, PROPERTIES);
  }
}

/** `success CAPACITY [TTL] [MINTTL]` */
function tableLimits(property: Directive, before: TableLimits): TableLimits {
  expectWords(property, 1, 3, 'CAPACITY [TTL] [MINTTL]');
  const { words } = property;
  return {
    capacity: integerWord(property, 0, 1, 10_000_000),
    maxTtlSeconds: words[1] === undefined ? before.maxTtlSeconds : integerWord(property, 1, 1, LONGEST_TTL_SECONDS),
    minTtlSeconds: words[2] === undefined ? before.minTtlSeconds : integerWord(property, 2, 0, LONGEST_TTL_SECONDS),
  };
}

/** `serve_stale [DURATION] [immediate|verify]` */
function staleOf(property: Directive): Pick<CacheOptions, 'staleMs' | 'staleVerify'> {
  expectWords(property, 0, 2, '[DURATION] [immediate|verify]');
  const mode = property.words[1] ?? 'immediate';
  if (mode !== 'immediate' && mode !== 'verify') throw wrong(property, "'immediate' or 'verify'");
  return {
    staleMs: property.words[0] === undefined ? STALE_MS : durationWord(property, 0),
    staleVerify: mode === 'verify',
  };
}

/** `prefetch AMOUNT [DURATION] [PERCENTAGE%]` */
function prefetchOf(property: Directive): Prefetch {
  expectWords(property, 1, 3, 'AMOUNT [DURATION] [PERCENTAGE%]');
  const percent = /^([1-8]\d|90)%$/.exec(property.words[2] ?? '10%')?.[1];
  if (percent === undefined) throw wrong(property, 'a percentage from 10% to 90%');
  return {
    amount: integerWord(property, 0, 0, 1_000_000),
    withinMs: property.words[1] === undefined ? PREFETCH_WITHIN_MS : durationWord(property, 1),
    remainingShare: Number(percent) / 100,
  };
}
