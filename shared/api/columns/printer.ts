/** What a table shows of a kind: its columns, and the cells of one object. */

export type Cell = string | number | boolean | null;

export interface Column {
  readonly name: string;
  readonly type: 'boolean' | 'date' | 'integer' | 'number' | 'string';
  /** `name` for the column that identifies the object. */
  readonly format: string;
  readonly description: string;
  /** Above 0: shown with `-o wide` only. */
  readonly priority: number;
}

export interface Printer<T = never> {
  readonly columns: readonly Column[];
  /** As many cells as columns; `nowMs` is what ages are counted to. */
  cells(object: T, nowMs: number): Cell[];
}

export const NAME_COLUMN: Column = { name: 'Name', type: 'string', format: 'name', description: '', priority: 0 };

export function text(name: string): Column {
  return { name, type: 'string', format: '', description: '', priority: 0 };
}

export function integer(name: string): Column {
  return { ...text(name), type: 'integer' };
}

export function boolean(name: string): Column {
  return { ...text(name), type: 'boolean' };
}

export function date(name: string): Column {
  return { ...text(name), type: 'date' };
}

/** Shown with `-o wide` only. */
export function wide(name: string): Column {
  return { ...text(name), priority: 1 };
}

export const AGE_COLUMN = text('Age');
