/**
 * The Common Expression Language as rules of custom resources know it: the language itself by a library, and those of
 * Kubernetes' own functions that it lacks (Kubernetes documentation, "CEL options, language features and libraries").
 */
import { Environment } from '@marcbachmann/cel-js';
import { compareQuantities, parseQuantity, type Quantity } from '../quantity.ts';
import { isCidr, isIp } from '../validation/ip.ts';
import { regularExpression } from './validate.ts';

type Numbers = readonly (bigint | number)[];

/** A quantity in an expression: `quantity("1Gi").isGreaterThan(quantity("1Mi"))`. */
class QuantityValue {
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    this.quantity = quantity;
  }
}

class UrlValue {
  readonly url: URL;

  constructor(url: URL) {
    this.url = url;
  }
}

function quantityOf(text: string): QuantityValue {
  const quantity = parseQuantity(text);
  if (quantity === undefined) throw new Error(`quantities must match the regular expression, found ${text}`);
  return new QuantityValue(quantity);
}

function urlOf(text: string): UrlValue {
  const url = absoluteUrl(text);
  if (url === undefined) throw new Error(`URL parse error during conversion from string: ${JSON.stringify(text)}`);
  return new UrlValue(url);
}

/** An absolute URL, or an absolute path. */
function absoluteUrl(text: string): URL | undefined {
  return URL.parse(text) ?? (text.startsWith('/') ? (URL.parse(text, 'none://') ?? undefined) : undefined);
}

function matcher(pattern: string, flags = ''): RegExp {
  const expression = regularExpression(pattern);
  if (expression === undefined) throw new Error(`error parsing regexp: ${pattern}`);
  return new RegExp(expression.source, expression.flags + flags);
}

function isSorted(list: readonly (bigint | number | string)[]): boolean {
  return list.every((entry, i) => i === 0 || list[i - 1]! <= entry);
}

function extreme(list: Numbers, better: (a: bigint | number, b: bigint | number) => boolean): bigint | number {
  const [first, ...rest] = list;
  if (first === undefined) throw new Error('min and max called on empty list');
  return rest.reduce((best, entry) => (better(entry, best) ? entry : best), first);
}

function sumOf(list: Numbers): bigint | number {
  if (list.every((entry) => typeof entry === 'bigint')) return list.reduce((sum, entry) => sum + entry, 0n);
  return list.reduce<number>((sum, entry) => sum + Number(entry), 0);
}

function sameEntry(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'number' && typeof b === 'bigint' && a === Number(b));
}

function withLists(environment: Environment): Environment {
  return environment
    .registerFunction('list<dyn>.isSorted(): bool', isSorted)
    .registerFunction('list<dyn>.sum(): dyn', sumOf)
    .registerFunction('list<dyn>.min(): dyn', (list: Numbers) => extreme(list, (a, b) => a < b))
    .registerFunction('list<dyn>.max(): dyn', (list: Numbers) => extreme(list, (a, b) => a > b))
    .registerFunction('list<dyn>.indexOf(dyn): int', (list: readonly unknown[], wanted: unknown) =>
      BigInt(list.findIndex((entry) => sameEntry(entry, wanted))),
    )
    .registerFunction('list<dyn>.lastIndexOf(dyn): int', (list: readonly unknown[], wanted: unknown) =>
      BigInt(list.findLastIndex((entry) => sameEntry(entry, wanted))),
    );
}

function withStrings(environment: Environment): Environment {
  return environment
    .registerFunction('string.charAt(int): string', (text: string, at: bigint) => text.charAt(Number(at)))
    .registerFunction('string.replace(string, string): string', (text: string, from: string, to: string) =>
      text.replaceAll(from, () => to),
    )
    .registerFunction('string.find(string): string', (text: string, pattern: string) => {
      return matcher(pattern).exec(text)?.[0] ?? '';
    })
    .registerFunction('string.findAll(string): list<string>', (text: string, pattern: string) =>
      [...text.matchAll(matcher(pattern, 'g'))].map(([found]) => found),
    );
}

function withNetworks(environment: Environment): Environment {
  return environment
    .registerType('kubernetes.URL', UrlValue)
    .registerFunction('isURL(string): bool', (text: string) => absoluteUrl(text) !== undefined)
    .registerFunction('url(string): kubernetes.URL', urlOf)
    .registerFunction('kubernetes.URL.getScheme(): string', ({ url }: UrlValue) =>
      url.protocol === 'none:' ? '' : url.protocol.slice(0, -1),
    )
    .registerFunction('kubernetes.URL.getHost(): string', ({ url }: UrlValue) => url.host)
    .registerFunction('kubernetes.URL.getHostname(): string', ({ url }: UrlValue) =>
      url.hostname.replace(/^\[(.*)\]$/, '$1'),
    )
    .registerFunction('kubernetes.URL.getPort(): string', ({ url }: UrlValue) => url.port)
    .registerFunction('kubernetes.URL.getEscapedPath(): string', ({ url }: UrlValue) => url.pathname)
    .registerFunction('isIP(string): bool', isIp)
    .registerFunction('isCIDR(string): bool', isCidr);
}

function withQuantities(environment: Environment): Environment {
  const compare = (a: QuantityValue, b: QuantityValue) => compareQuantities(a.quantity, b.quantity);
  return environment
    .registerType('kubernetes.Quantity', QuantityValue)
    .registerFunction('isQuantity(string): bool', (text: string) => parseQuantity(text) !== undefined)
    .registerFunction('quantity(string): kubernetes.Quantity', quantityOf)
    .registerFunction('kubernetes.Quantity.compareTo(kubernetes.Quantity): int', (a: QuantityValue, b: QuantityValue) =>
      BigInt(compare(a, b)),
    )
    .registerFunction(
      'kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool',
      (a: QuantityValue, b: QuantityValue) => compare(a, b) > 0,
    )
    .registerFunction(
      'kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool',
      (a: QuantityValue, b: QuantityValue) => compare(a, b) < 0,
    );
}

/** Bounds of one expression; the original counts the cost of evaluation instead. */
const LIMITS = { maxAstNodes: 10_000, maxDepth: 100 };

function environment(): Environment {
  const bare = new Environment({ enableOptionalTypes: true, limits: LIMITS });
  return [withLists, withStrings, withNetworks, withQuantities].reduce((made, add) => add(made), bare);
}

/** Knows `self` and `oldSelf`, of any type. */
export const RULE_ENVIRONMENT = environment().registerVariable('self', 'dyn').registerVariable('oldSelf', 'dyn');

/** `oldSelf` may be absent: rules with `optionalOldSelf`. */
export const OPTIONAL_RULE_ENVIRONMENT = environment()
  .registerVariable('self', 'dyn')
  .registerVariable('oldSelf', 'optional<dyn>');
