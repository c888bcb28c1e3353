/** An awk program's variables, the record that it looks at, and the record's fields, which are made when first asked for. */
import { UsageError } from '../options.ts';
import { regularExpression } from '../regular-expression.ts';
import { type AwkArray, inputValue, toNumber, toText, type Value } from './value.ts';

export type Frame = Map<string, Value | AwkArray>;

export class AwkMemory {
  record = '';
  protected readonly globals: Frame = new Map();
  /** Parameters of the functions that run, the innermost last. */
  protected readonly frames: Frame[] = [];
  private readonly expressions = new Map<string, RegExp>();
  private fields: Value[] | undefined;

  constructor() {
    for (const [name, value] of [
      ['FS', ' '],
      ['OFS', ' '],
      ['ORS', '\n'],
      ['RS', '\n'],
      ['SUBSEP', '\x1c'],
      ['CONVFMT', '%.6g'],
      ['OFMT', '%.6g'],
    ] as const)
      this.globals.set(name, value);
    for (const name of ['NR', 'NF', 'FNR', 'RSTART']) this.globals.set(name, 0);
    this.globals.set('RLENGTH', -1);
  }

  isArray(name: string): boolean {
    return this.frameOf(name).get(name) instanceof Map;
  }

  setGlobal(name: string, value: Value): void {
    this.globals.set(name, value);
  }

  getGlobal(name: string): Value {
    const value = this.globals.get(name);
    return value instanceof Map ? undefined : value;
  }

  protected frameOf(name: string): Frame {
    const frame = this.frames.at(-1);
    return frame?.has(name) ? frame : this.globals;
  }

  protected scalar(name: string): Value {
    if (name === 'NF') this.splitRecord();
    const value = this.frameOf(name).get(name);
    if (value instanceof Map) throw new UsageError(`array '${name}' used in scalar context`);
    return value;
  }

  protected assignVariable(name: string, value: Value): void {
    this.frameOf(name).set(name, value);
    if (name !== 'NF') return;
    const fields = this.splitRecord();
    fields.length = Math.max(0, toNumber(value));
    this.rebuild(fields);
  }

  array(name: string): AwkArray {
    const frame = this.frameOf(name);
    const value = frame.get(name);
    if (value instanceof Map) return value;
    if (value !== undefined) throw new UsageError(`'${name}' is no array`);
    const array: AwkArray = new Map();
    frame.set(name, array);
    return array;
  }

  protected setRecord(text: string): void {
    this.record = text;
    this.fields = undefined;
  }

  protected splitRecord(): Value[] {
    if (this.fields === undefined) {
      this.fields = this.split(this.record, toText(this.getGlobal('FS'))).map(inputValue);
      this.globals.set('NF', this.fields.length);
    }
    return this.fields;
  }

  protected field(index: number): Value {
    if (index < 0) throw new UsageError('access to negative field');
    return index === 0 ? inputValue(this.record) : this.splitRecord()[index - 1];
  }

  protected setField(index: number, value: Value): void {
    if (index === 0) {
      this.setRecord(toText(value));
      return;
    }
    const fields = this.splitRecord();
    while (fields.length < index - 1) fields.push('');
    fields[index - 1] = value;
    this.rebuild(fields);
  }

  protected rebuild(fields: Value[]): void {
    this.fields = fields;
    this.globals.set('NF', fields.length);
    this.record = fields.map(toText).join(toText(this.getGlobal('OFS')));
  }

  split(text: string, separator: string): string[] {
    if (separator === ' ') return text.split(/[ \t\n]+/).filter((part) => part !== '');
    if (text === '') return [];
    if (separator === '') return [...text];
    if (separator.length === 1 && separator !== '\\') return text.split(separator);
    return text.split(this.expression(separator));
  }

  expression(source: string): RegExp {
    let expression = this.expressions.get(source);
    if (expression === undefined) {
      expression = regularExpression(source, { extended: true });
      this.expressions.set(source, expression);
    }
    return expression;
  }
}
