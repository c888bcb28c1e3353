/** Reads the fields of a message from the bus; each throws UnexpectedMessageError when something else stands there. */
import { isJsonObject, type JsonObject } from '../api/object.ts';

/** What came over the bus has not the shape its subject promises. */
export class UnexpectedMessageError extends Error {
  override name = 'UnexpectedMessageError';
}

export function object(value: unknown, what: string): JsonObject {
  if (!isJsonObject(value)) throw new UnexpectedMessageError(`${what} is not an object`);
  return value;
}

export function array(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new UnexpectedMessageError('a list is not an array');
  return value;
}

export function string(message: JsonObject, field: string): string {
  const value = message[field];
  if (typeof value !== 'string') throw new UnexpectedMessageError(`${field} is not a text`);
  return value;
}

export function number(message: JsonObject, field: string): number {
  const value = message[field];
  if (typeof value !== 'number') throw new UnexpectedMessageError(`${field} is not a number`);
  return value;
}

export function optionalString(message: JsonObject, field: string): string | undefined {
  return message[field] === undefined || message[field] === null ? undefined : string(message, field);
}

export function optionalNumber(message: JsonObject, field: string): number | undefined {
  return message[field] === undefined || message[field] === null ? undefined : number(message, field);
}

export function stringArray(message: JsonObject, field: string): string[] {
  return array(message[field]).map((item) => {
    if (typeof item !== 'string') throw new UnexpectedMessageError(`${field} holds something that is not a text`);
    return item;
  });
}

export function stringMap(value: unknown): Record<string, string> {
  const result: Record<string, string> = {};
  for (const [key, item] of Object.entries(object(value, 'a query'))) {
    if (typeof item !== 'string') throw new UnexpectedMessageError(`the query's ${key} is not a text`);
    result[key] = item;
  }
  return result;
}
