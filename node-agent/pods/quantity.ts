/**
 * Kubernetes quantities (`250m`, `64Mi`, `1.5`, `2e3`) as exact integers of thousandths.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
 */
const SUFFIX_MILLIS: Readonly<Record<string, bigint>> = {
  m: 1n,
  '': 1000n,
  k: 1000n ** 2n,
  M: 1000n ** 3n,
  G: 1000n ** 4n,
  T: 1000n ** 5n,
  P: 1000n ** 6n,
  Ki: 1000n * 1024n,
  Mi: 1000n * 1024n ** 2n,
  Gi: 1000n * 1024n ** 3n,
  Ti: 1000n * 1024n ** 4n,
  Pi: 1000n * 1024n ** 5n,
};

/** Thousandths of the unit, rounded up; undefined when the text is no quantity. */
export function parseQuantityMillis(text: string): bigint | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,2})|([numkMGTP]|[KMGTP]i))?$/.exec(text.trim());
  if (match === null || ((match[2] ?? '') === '' && (match[3] ?? '') === '')) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0', suffix = ''] = match;
  if (suffix === 'n' || suffix === 'u') return text.startsWith('-') ? 0n : 1n;
  const unit = SUFFIX_MILLIS[suffix];
  if (unit === undefined) return undefined;
  const power = Number(exponent) - fraction.length;
  const digits = BigInt(`${whole}${fraction}` || '0') * unit;
  const millis = power >= 0 ? digits * 10n ** BigInt(power) : divideUp(digits, 10n ** BigInt(-power));
  return sign === '-' ? -millis : millis;
}

/** A quantity divided by a divisor and rounded up, as the downward API shows it; undefined when either is malformed. */
export function divideQuantity(text: string, divisor: string): string | undefined {
  const dividend = parseQuantityMillis(text);
  const by = parseQuantityMillis(divisor === '0' ? '1' : divisor);
  if (dividend === undefined || by === undefined || by === 0n) return undefined;
  return divideUp(dividend, by).toString();
}

function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}
