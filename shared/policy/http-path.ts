/**
 * The path of a request as rules see it and as the server gets it: `/public/../private` is not public. As Envoy does it where
 * cilium has `http-normalize-path`: dots (RFC 3986 section 5.2.4), slashes beside each other, what need not be escaped.
 */

export interface NormalPath {
  /** With the query. */
  readonly path: string;
  /** It had slashes in disguise, so that the client is asked to mean it. */
  readonly isRedirected: boolean;
}

/** `target`: of the request line, in either form (RFC 9112 section 3.2). */
export function normalPath(target: string): NormalPath {
  if (target === '*') return { path: target, isRedirected: false };
  const [, path = '', query = ''] = /^(?:[a-z]+:\/\/[^/?#]*)?([^?#]*)(\?[^#]*)?/i.exec(target) ?? [];
  const segments: string[] = [];
  const parts = unescaped(path).replaceAll('\\', '/').split('/');
  for (const part of parts) {
    if (part === '..') segments.pop();
    else if (part !== '' && part !== '.') segments.push(part);
  }
  const isFolder = ['', '.', '..'].includes(parts.at(-1) ?? '') && segments.length > 0;
  const isRedirected = /%(2f|5c)/i.test(path);
  return { path: `/${segments.join('/')}${isFolder ? '/' : ''}${query}`, isRedirected };
}

/** Unreserved characters (RFC 3986 section 2.3) and slashes. */
function unescaped(path: string): string {
  return path.replace(/%([0-9a-f]{2})/gi, (whole: string, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[-a-z0-9._~/\\]/i.test(character) ? character : whole;
  });
}
