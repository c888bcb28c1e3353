/** Errors of single fields in the texts that kubectl's users know, one constructor per reason. */
import type { FieldError } from '../status.ts';

/** Strings are quoted, objects stand as JSON; nothing at all stands as the word, quoted. */
function valueText(value: unknown): string {
  return value === undefined || value === null ? '"null"' : JSON.stringify(value);
}

export function invalidValue(field: string, value: unknown, detail: string): FieldError {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${valueText(value)}: ${detail}` };
}

export function requiredValue(field: string, detail = ''): FieldError {
  return {
    field,
    reason: 'FieldValueRequired',
    message: detail === '' ? 'Required value' : `Required value: ${detail}`,
  };
}

export function unsupportedValue(field: string, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.map(valueText).join(', ');
  return {
    field,
    reason: 'FieldValueNotSupported',
    message: `Unsupported value: ${valueText(value)}: supported values: ${list}`,
  };
}

export function duplicateValue(field: string, value: unknown): FieldError {
  return { field, reason: 'FieldValueDuplicate', message: `Duplicate value: ${valueText(value)}` };
}

export function forbiddenValue(field: string, detail: string): FieldError {
  return { field, reason: 'FieldValueForbidden', message: `Forbidden: ${detail}` };
}

export function notFoundValue(field: string, value: unknown): FieldError {
  return { field, reason: 'FieldValueNotFound', message: `Not found: ${valueText(value)}` };
}

/** Wrong as a whole: its value is not repeated. */
export function invalidField(field: string, detail: string): FieldError {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${detail}` };
}

export function tooMany(field: string, count: number, maximum: number): FieldError {
  return { field, reason: 'FieldValueTooMany', message: `Too many: ${count}: must have at most ${maximum} items` };
}

export function tooLong(field: string, maximumBytes: number): FieldError {
  return { field, reason: 'FieldValueTooLong', message: `Too long: may not be more than ${maximumBytes} bytes` };
}

export const IMMUTABLE = 'field is immutable';
