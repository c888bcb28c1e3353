/**
 * Quantities (`500m`, `1Gi`, `2e3`): exact amounts in billionths, with the family of suffixes they were written in, so
 * that the canonical text is the one the API stores (Kubernetes API reference, "Quantity").
 */

export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  /** Billionths of the unit. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

export const QUANTITY_PATTERN_MESSAGE =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

const NANO_DIGITS = 9;
const DECIMAL_EXPONENTS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY_EXPONENTS: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 };
/** Amounts are capped there, as they are in the original (2^63 - 1). */
const MAXIMUM_NANO = (2n ** 63n - 1n) * 10n ** 9n;
/** No amount with more digits than this can be below the cap and above a billionth. */
const MAXIMUM_DIGITS = 64;

/** Undefined when the text is not a quantity. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = '', exponentText] = match;
  if (whole === '' && fraction === '') return undefined;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits.length > MAXIMUM_DIGITS) return undefined;
  const magnitude = scaled(BigInt(digits === '' ? 0 : digits), fraction.length, suffix, exponentText);
  const capped = magnitude > MAXIMUM_NANO ? MAXIMUM_NANO : magnitude;
  return { nano: sign === '-' ? -capped : capped, format: formatOf(suffix, exponentText) };
}

function formatOf(suffix: string, exponentText: string | undefined): QuantityFormat {
  if (exponentText !== undefined) return 'DecimalExponent';
  return suffix.endsWith('i') ? 'BinarySI' : 'DecimalSI';
}

/** digits * 10^-fractionDigits * suffix, in billionths, rounded up. */
function scaled(digits: bigint, fractionDigits: number, suffix: string, exponentText: string | undefined): bigint {
  const binary = BINARY_EXPONENTS[suffix];
  const decimal = exponentText === undefined ? (DECIMAL_EXPONENTS[suffix] ?? 0) : Number(exponentText);
  const exponent = (binary === undefined ? decimal : 0) - fractionDigits + NANO_DIGITS;
  const value = binary === undefined ? digits : digits << BigInt(binary);
  if (value === 0n) return 0n;
  if (exponent > MAXIMUM_DIGITS) return MAXIMUM_NANO;
  if (exponent >= 0) return value * 10n ** BigInt(exponent);
  if (exponent < -2 * MAXIMUM_DIGITS) return 1n;
  const divisor = 10n ** BigInt(-exponent);
  return (value + divisor - 1n) / divisor;
}

/** The canonical text: no fraction, the largest suffix that keeps the mantissa whole. */
export function formatQuantity(quantity: Quantity): string {
  const { nano, format } = quantity;
  if (nano === 0n) return '0';
  const negative = nano < 0n;
  const magnitude = negative ? -nano : nano;
  const unit = 10n ** 9n;
  const binary = format === 'BinarySI' && magnitude % unit === 0n && magnitude >= 1024n * unit;
  const text = binary ? binaryText(magnitude / unit) : decimalText(magnitude, format);
  return negative ? `-${text}` : text;
}

function binaryText(value: bigint): string {
  let mantissa = value;
  let suffix = '';
  for (const next of Object.keys(BINARY_EXPONENTS)) {
    if (mantissa % 1024n !== 0n) break;
    mantissa /= 1024n;
    suffix = next;
  }
  return `${mantissa}${suffix}`;
}

function decimalText(nano: bigint, format: QuantityFormat): string {
  let mantissa = nano;
  let exponent = -NANO_DIGITS;
  while (mantissa % 1000n === 0n && exponent < 18) {
    mantissa /= 1000n;
    exponent += 3;
  }
  if (format === 'DecimalExponent') return exponent === 0 ? `${mantissa}` : `${mantissa}e${exponent}`;
  const suffix = Object.keys(DECIMAL_EXPONENTS).find((name) => DECIMAL_EXPONENTS[name] === exponent);
  return `${mantissa}${suffix ?? ''}`;
}

/** Below zero, zero or above zero, as `a` is less than, equal to or more than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  if (a.nano === b.nano) return 0;
  return a.nano < b.nano ? -1 : 1;
}

export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format };
}

/** The amount in thousandths, rounded up: millicores of a CPU quantity. */
export function quantityMilli(quantity: Quantity): number {
  const million = 1_000_000n;
  const rounded = quantity.nano > 0n ? (quantity.nano + million - 1n) / million : quantity.nano / million;
  return Number(rounded);
}

/** The amount in whole units, rounded up: bytes of a memory quantity. */
export function quantityValue(quantity: Quantity): number {
  const unit = 10n ** 9n;
  return Number(quantity.nano > 0n ? (quantity.nano + unit - 1n) / unit : quantity.nano / unit);
}
