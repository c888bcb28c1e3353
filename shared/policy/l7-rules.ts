/** Rules about what a connection carries, beside whose it is and at which port. */

/** Of `toPorts.rules.http`: all that is there must hold. Texts are regular expressions that match the whole. */
export interface HttpRule {
  readonly method?: string;
  /** With the query. */
  readonly path?: string;
  /** Of the request's authority. */
  readonly host?: string;
  /** `Name: value`, or `Name` for whatever value. */
  readonly headers?: readonly string[];
  readonly headerMatches?: readonly { readonly name: string; readonly value?: string }[];
}

/** Of names: `toFQDNs`, and `toPorts.rules.dns`. Either part suffices. */
export interface NamePattern {
  readonly matchName?: string;
  readonly matchPattern?: string;
}

export type L7Rules =
  | { readonly kind: 'http'; readonly rules: readonly HttpRule[] }
  | { readonly kind: 'dns'; readonly rules: readonly NamePattern[] };

/** One rule that lets the connection be, and what it lets through; null for a rule that asks no more. */
export interface L7Alternative {
  readonly rules: L7Rules | null;
  readonly cause: string;
  readonly rule: string | null;
}

/** What a connection carries is looked at, and one alternative that lets it through suffices. */
export interface L7Decision {
  readonly kind: L7Rules['kind'];
  readonly alternatives: readonly L7Alternative[];
}
