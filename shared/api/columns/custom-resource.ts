/**
 * Tables of custom resources by the `additionalPrinterColumns` of their definition, and the JSON paths these are written
 * in (Kubernetes documentation, "JSONPath Support"; of it: fields, indexes, `[*]` and filters by equality).
 */
import { fieldAt, isJsonObject, type JsonObject } from '../object.ts';
import { ageText } from './cell-text.ts';
import { AGE_COLUMN, type Cell, type Column, NAME_COLUMN, type Printer } from './printer.ts';

export interface AdditionalPrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly jsonPath: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
}

const AGE: AdditionalPrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };

export function customResourcePrinter(columns: readonly AdditionalPrinterColumn[] | undefined): Printer<JsonObject> {
  const shown = columns === undefined || columns.length === 0 ? [AGE] : columns;
  return {
    columns: [NAME_COLUMN, ...shown.map(columnOf)],
    cells: (object, nowMs) => [
      String(fieldAt(object, 'metadata', 'name') ?? ''),
      ...shown.map((column) => cellOf(object, column, nowMs)),
    ],
  };
}

function columnOf({ name, type, format, description, priority }: AdditionalPrinterColumn): Column {
  const known = ['boolean', 'date', 'integer', 'number', 'string'].includes(type) ? (type as Column['type']) : 'string';
  return {
    ...AGE_COLUMN,
    name,
    type: known,
    format: format ?? '',
    description: description ?? '',
    priority: priority ?? 0,
  };
}

function cellOf(object: JsonObject, { type, jsonPath }: AdditionalPrinterColumn, nowMs: number): Cell {
  const values = readJsonPath(object, jsonPath);
  const [first] = values;
  if (first === undefined) return null;
  switch (type) {
    case 'integer':
      return typeof first === 'number' ? Math.trunc(first) : null;
    case 'number':
      return typeof first === 'number' ? first : null;
    case 'boolean':
      return typeof first === 'boolean' ? first : null;
    case 'date':
      return typeof first === 'string' ? ageText(first, nowMs) : null;
    default:
      return values.map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value))).join(' ');
  }
}

const STEP =
  /\.((?:[A-Za-z0-9_$/-]|\\.)+)|\['((?:[^'\\]|\\.)*)'\]|\[(\d+)\]|(\[\*\]|\.\*)|\[\?\(\s*@\.([\w.-]+)\s*==\s*["']([^"']*)["']\s*\)\]/y;

/** The values that a path leads to; none when it cannot be read. A `\.` inside a field name is a plain dot. */
export function readJsonPath(root: unknown, path: string): unknown[] {
  const text = path.replace(/^\{(.*)\}$/, '$1').replace(/^\$/, '');
  let values: unknown[] = [root];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < text.length) {
    const match = STEP.exec(text);
    if (match === null) return [];
    values = values.flatMap((value) => step(value, match));
  }
  return values.filter((value) => value !== undefined && value !== null);
}

function step(value: unknown, match: RegExpExecArray): unknown[] {
  const [, field, quoted, index, everything, filterPath, filterValue] = match;
  const name = (field ?? quoted)?.replace(/\\(.)/g, '$1');
  if (name !== undefined) return isJsonObject(value) ? [value[name]] : [];
  if (index !== undefined) return Array.isArray(value) ? [value[Number(index)]] : [];
  const members = Array.isArray(value) ? value : isJsonObject(value) ? Object.values(value) : [];
  if (everything !== undefined) return members;
  return members.filter((member) => String(fieldAt(member, ...filterPath!.split('.'))) === filterValue);
}
