/** Rules of single values, from which the tables of this folder are made. */
import {
  dns1035LabelErrors,
  dns1123LabelErrors,
  dns1123SubdomainErrors,
  envVarNameErrors,
  portNameErrors,
  qualifiedNameErrors,
} from '../name-format.ts';
import type { JsonObject } from '../object.ts';
import type { FieldError } from '../status.ts';
import { duplicateValue, invalidValue, unsupportedValue } from './field-error.ts';
import { cidrErrors, ipErrors } from './ip.ts';

/** Looks at a value that is there; absent fields are the walker's affair. */
export type Rule = (value: unknown, path: string) => FieldError[];

/** The rules of one type of the table. */
export interface TypeRules {
  readonly fields?: Readonly<Record<string, Rule>>;
  /** What no single field can tell. The walker passes only objects of the type. */
  readonly object?: (object: never, path: string) => FieldError[];
}

/** Each message of a format check as an error of its own. */
function format(check: (value: string) => string[]): Rule {
  return (value, path) =>
    typeof value === 'string' ? check(value).map((message) => invalidValue(path, value, message)) : [];
}

export const dnsLabel = format(dns1123LabelErrors);
export const dnsSubdomain = format(dns1123SubdomainErrors);
export const dns1035Label = format(dns1035LabelErrors);
export const qualifiedName = format(qualifiedNameErrors);
export const envVarName = format(envVarNameErrors);
export const portName = format(portNameErrors);
export const ipAddress = format(ipErrors);
export const cidr = format(cidrErrors);

export function oneOf(...supported: readonly string[]): Rule {
  return (value, path) =>
    typeof value === 'string' && !supported.includes(value) ? [unsupportedValue(path, value, supported)] : [];
}

export function between(minimum: number, maximum: number): Rule {
  return (value, path) =>
    typeof value === 'number' && (value < minimum || value > maximum)
      ? [invalidValue(path, value, `must be between ${minimum} and ${maximum}, inclusive`)]
      : [];
}

export const portNumber = between(1, 65_535);

/** A number, or the name of a container's port. */
export const portReference: Rule = (value, path) =>
  typeof value === 'number' ? portNumber(value, path) : portName(value, path);

export function atLeast(minimum: number): Rule {
  return (value, path) =>
    typeof value === 'number' && value < minimum
      ? [invalidValue(path, value, `must be greater than or equal to ${minimum}`)]
      : [];
}

export const positive: Rule = (value, path) =>
  typeof value === 'number' && value <= 0 ? [invalidValue(path, value, 'must be greater than 0')] : [];

/** The rule for every element of a list. */
export function each(rule: Rule): Rule {
  return (value, path) =>
    Array.isArray(value) ? value.flatMap((element: unknown, i) => rule(element, `${path}[${i}]`)) : [];
}

/** No two elements of the list have the same key field. */
export function uniqueBy(key: string): Rule {
  return (value, path) => {
    const seen = new Set<unknown>();
    const errors: FieldError[] = [];
    for (const [i, element] of (value as JsonObject[]).entries()) {
      const name = element[key];
      if (name === undefined || name === '') continue;
      if (seen.has(name)) errors.push(duplicateValue(`${path}[${i}].${key}`, name));
      seen.add(name);
    }
    return errors;
  };
}

export function all(...rules: readonly Rule[]): Rule {
  return (value, path) => rules.flatMap((rule) => rule(value, path));
}
