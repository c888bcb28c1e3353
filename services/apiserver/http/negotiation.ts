/**
 * Content negotiation: in which shape (whole objects, a Table, metadata only) and in which encoding the client wants the
 * answer (Kubernetes API concepts, "Alternate representations of resources"; RFC 9110 section 12.5.1).
 */

export type Encoding = 'json' | 'yaml';

export type Shape =
  | { readonly kind: 'object' }
  /** `version` is v1 or v1beta1; both have the same fields. */
  | { readonly kind: 'table'; readonly version: string }
  | { readonly kind: 'metadata'; readonly version: string };

export interface Negotiated {
  readonly encoding: Encoding;
  readonly shape: Shape;
}

export interface MediaRange {
  /** `application/json`, `*` + `/*`. */
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export const SUPPORTED_MEDIA_TYPES = ['application/json', 'application/yaml'] as const;

const MAX_ACCEPT_LENGTH = 4096;

/** The ranges of an Accept header, the preferred first. An absent header accepts everything. */
export function parseAccept(header: string | undefined): MediaRange[] {
  if (header === undefined || header.trim() === '') return [{ type: '*/*', parameters: {} }];
  const ranges = header.slice(0, MAX_ACCEPT_LENGTH).split(',').map(parseMediaType);
  const quality = (range: MediaRange) => (range.parameters.q === undefined ? 1 : Number(range.parameters.q) || 0);
  return ranges.filter((range) => quality(range) > 0).sort((a, b) => quality(b) - quality(a));
}

/** `application/json; charset=utf-8`: the type in lower case and its parameters. */
export function parseMediaType(text: string): MediaRange {
  const [type, ...rest] = text.split(';');
  const parameters: Record<string, string> = {};
  for (const part of rest) {
    const separator = part.indexOf('=');
    if (separator < 0) continue;
    parameters[part.slice(0, separator).trim().toLowerCase()] = part
      .slice(separator + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1');
  }
  return { type: type!.trim().toLowerCase(), parameters };
}

/** The first range that can be served; undefined is 406 Not Acceptable. */
export function negotiate(header: string | undefined): Negotiated | undefined {
  for (const range of parseAccept(header)) {
    const encoding = encodingOf(range.type);
    if (encoding === undefined) continue;
    const shape = shapeOf(range.parameters);
    if (shape !== undefined) return { encoding, shape };
  }
  return undefined;
}

function encodingOf(type: string): Encoding | undefined {
  switch (type) {
    case 'application/json':
    case 'application/*':
    case '*/*':
      return 'json';
    case 'application/yaml':
    case 'application/x-yaml':
    case 'text/yaml':
      return 'yaml';
    default:
      return undefined;
  }
}

function shapeOf({ as, g, v }: Readonly<Record<string, string>>): Shape | undefined {
  if (as === undefined) return { kind: 'object' };
  if (g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) return undefined;
  if (as === 'Table') return { kind: 'table', version: v };
  if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { kind: 'metadata', version: v };
  return undefined;
}
