/** JSON as an expression sees it: whole numbers are integers, and what a schema calls a time is one. */
import { parseGoDuration } from '../duration.ts';
import { isJsonObject, type JsonObject } from '../object.ts';
import { RULE_ENVIRONMENT } from './cel-library.ts';
import { fieldSchema, type StructuralSchema } from './structural-schema.ts';

/** Words of the language cannot name a field. */
const RESERVED = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

export function celValue(value: unknown, schema: StructuralSchema | undefined): unknown {
  if (typeof value === 'number') return isInteger(value, schema) ? BigInt(value) : value;
  if (typeof value === 'string') return textValue(value, schema?.format);
  if (Array.isArray(value)) return value.map((entry) => celValue(entry, schema?.items));
  return isJsonObject(value) ? objectValue(value, schema) : value;
}

function isInteger(value: number, schema: StructuralSchema | undefined): boolean {
  return Number.isInteger(value) && schema?.type !== 'number';
}

function textValue(text: string, format: string | undefined): unknown {
  if (format === 'date-time' || format === 'date') return new Date(text);
  if (format === 'duration' && parseGoDuration(text) !== undefined) return toDuration({ self: text });
  return text;
}

function objectValue(value: JsonObject, schema: StructuralSchema | undefined): JsonObject {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(
    entries.map(([name, entry]) => {
      const declared = schema?.properties !== undefined && Object.hasOwn(schema.properties, name);
      const field = schema === undefined ? undefined : fieldSchema(schema, name);
      return [declared ? escapedName(name) : name, celValue(entry, field)];
    }),
  );
}

/** As expressions spell the names of fields that are no identifiers (Kubernetes documentation, "Escaping"). */
export function escapedName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

/** The language's own durations. */
const toDuration = RULE_ENVIRONMENT.parse('duration(self)');
