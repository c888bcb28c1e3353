/** Runs an awk program over its input. */
import { floatText } from '../../shell/builtins/echo.ts';
import { UsageError } from '../options.ts';
import { regularExpression } from '../regular-expression.ts';
import { formatDate } from '../system.ts';
import type { AwkStreams } from './streams.ts';
import type { AwkProgram, Expression, Rule, Statement } from './syntax.ts';
import { type AwkArray, compareValues, inputValue, isTrue, toNumber, toText, type Value } from './value.ts';

/** How a statement leaves: thrown. */
class Leave {
  readonly kind: 'next' | 'nextfile' | 'break' | 'continue' | 'exit' | 'return';
  readonly value: Value;

  constructor(kind: Leave['kind'], value?: Value) {
    this.kind = kind;
    this.value = value;
  }
}

type Frame = Map<string, Value | AwkArray>;

const MAX_CALL_DEPTH = 1000;
const YIELD_EVERY = 2000;

export class AwkInterpreter {
  private readonly program: AwkProgram;
  private readonly streams: AwkStreams;
  private readonly globals: Frame = new Map();
  private readonly frames: Frame[] = [];
  private readonly activeRanges = new Set<Rule>();
  private readonly expressions = new Map<string, RegExp>();
  private record = '';
  private fields: Value[] | undefined;
  private steps = 0;
  private exitCode = 0;
  private seed = 0;

  constructor(program: AwkProgram, streams: AwkStreams) {
    this.program = program;
    this.streams = streams;
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

  /** `-v name=value`, and assignments among the operands. */
  setVariable(name: string, value: string): void {
    this.globals.set(name, inputValue(value));
  }

  setArray(name: string, values: AwkArray): void {
    this.globals.set(name, values);
  }

  async run(): Promise<number> {
    const { rules } = this.program;
    const main = rules.filter((rule) => rule.pattern !== 'BEGIN' && rule.pattern !== 'END');
    const ends = rules.filter((rule) => rule.pattern === 'END');
    // `exit` in BEGIN reads no input; END rules run all the same.
    const exited = await this.runAll(rules.filter((rule) => rule.pattern === 'BEGIN'));
    if (!exited && (main.length > 0 || ends.length > 0)) await this.runRecords(main);
    await this.runAll(ends);
    await this.streams.closeAll();
    return this.exitCode;
  }

  /** True: a rule called `exit`. */
  private async runAll(rules: readonly Rule[]): Promise<boolean> {
    try {
      for (const rule of rules) if (rule.body !== undefined) await this.execute(rule.body);
      return false;
    } catch (leave) {
      if (leave instanceof Leave && leave.kind === 'exit') return true;
      throw leave;
    }
  }

  private async runRecords(rules: readonly Rule[]): Promise<void> {
    while (await this.readRecord()) {
      try {
        for (const rule of rules) if (await this.selects(rule)) await this.perform(rule);
      } catch (leave) {
        if (!(leave instanceof Leave)) throw leave;
        if (leave.kind === 'exit') return;
        if (leave.kind === 'nextfile') await this.streams.skipFile();
        else if (leave.kind !== 'next') throw new UsageError(`'${leave.kind}' used outside of its construct`);
      }
    }
  }

  private async readRecord(): Promise<boolean> {
    const line = await this.streams.nextRecord(toText(this.get('RS')), (name, value) => this.setVariable(name, value));
    if (line === undefined) return false;
    this.setRecord(line.text);
    this.globals.set('NR', toNumber(this.get('NR')) + 1);
    this.globals.set('FNR', line.isFirst ? 1 : toNumber(this.get('FNR')) + 1);
    this.globals.set('FILENAME', line.file);
    return true;
  }

  private async selects(rule: Rule): Promise<boolean> {
    const { pattern, until } = rule;
    if (pattern === undefined || pattern === 'BEGIN' || pattern === 'END') return true;
    if (until === undefined) return isTrue(await this.evaluate(pattern));
    if (!this.activeRanges.has(rule)) {
      if (!isTrue(await this.evaluate(pattern))) return false;
      this.activeRanges.add(rule);
    }
    if (isTrue(await this.evaluate(until))) this.activeRanges.delete(rule);
    return true;
  }

  private async perform(rule: Rule): Promise<void> {
    if (rule.body === undefined) await this.streams.print(`${this.record}${toText(this.get('ORS'))}`);
    else await this.execute(rule.body);
  }

  private async execute(statement: Statement): Promise<void> {
    this.steps += 1;
    if (this.steps % YIELD_EVERY === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      this.streams.throwIfStopped();
    }
    switch (statement.kind) {
      case 'block':
        for (const inner of statement.statements) await this.execute(inner);
        return;
      case 'expression':
        await this.evaluate(statement.expression);
        return;
      case 'print':
        await this.print(statement);
        return;
      case 'if':
        if (isTrue(await this.evaluate(statement.test))) await this.execute(statement.yes);
        else if (statement.no !== undefined) await this.execute(statement.no);
        return;
      case 'while':
        if (!statement.testFirst && !(await this.loopBody(statement.body))) return;
        while (isTrue(await this.evaluate(statement.test))) if (!(await this.loopBody(statement.body))) return;
        return;
      case 'for':
        if (statement.start !== undefined) await this.execute(statement.start);
        while (statement.test === undefined || isTrue(await this.evaluate(statement.test))) {
          if (!(await this.loopBody(statement.body))) return;
          if (statement.after !== undefined) await this.execute(statement.after);
        }
        return;
      case 'for-in':
        for (const key of [...this.array(statement.array).keys()]) {
          this.assignVariable(statement.variable, inputValue(key));
          if (!(await this.loopBody(statement.body))) return;
        }
        return;
      case 'delete':
        if (statement.subscripts === undefined) this.array(statement.name).clear();
        else this.array(statement.name).delete(await this.subscript(statement.subscripts));
        return;
      case 'exit': {
        const value = statement.value === undefined ? undefined : await this.evaluate(statement.value);
        if (value !== undefined) this.exitCode = toNumber(value) & 255;
        throw new Leave('exit');
      }
      case 'return':
        throw new Leave('return', statement.value === undefined ? undefined : await this.evaluate(statement.value));
      default:
        throw new Leave(statement.kind);
    }
  }

  /** False: `break`. */
  private async loopBody(body: Statement): Promise<boolean> {
    try {
      await this.execute(body);
    } catch (leave) {
      if (!(leave instanceof Leave) || (leave.kind !== 'break' && leave.kind !== 'continue')) throw leave;
      return leave.kind === 'continue';
    }
    return true;
  }

  private async print(statement: Extract<Statement, { kind: 'print' }>): Promise<void> {
    const values: Value[] = [];
    for (const arg of statement.args) values.push(await this.evaluate(arg));
    let text: string;
    if (statement.formatted) text = this.format(values);
    else
      text =
        (values.length === 0 ? this.record : values.map(toText).join(toText(this.get('OFS')))) +
        toText(this.get('ORS'));
    const { redirect } = statement;
    if (redirect === undefined) await this.streams.print(text);
    else await this.streams.printTo(redirect.operator, toText(await this.evaluate(redirect.target)), text);
  }

  private async evaluate(expression: Expression): Promise<Value> {
    switch (expression.kind) {
      case 'number':
      case 'string':
        return expression.value;
      case 'regex':
        return this.expression(expression.source).test(this.record) ? 1 : 0;
      case 'variable':
        return this.scalar(expression.name);
      case 'field':
        return this.field(toNumber(await this.evaluate(expression.index)));
      case 'element': {
        const array = this.array(expression.name);
        const key = await this.subscript(expression.subscripts);
        if (!array.has(key)) array.set(key, undefined);
        return array.get(key);
      }
      case 'assign':
        return this.assign(expression);
      case 'step': {
        const before = toNumber(await this.evaluate(expression.target));
        await this.store(expression.target, before + expression.by);
        return expression.prefix ? before + expression.by : before;
      }
      case 'unary': {
        const value = await this.evaluate(expression.operand);
        if (expression.operator === '!') return isTrue(value) ? 0 : 1;
        return expression.operator === '-' ? -toNumber(value) : toNumber(value);
      }
      case 'binary':
        return this.binary(expression.operator, expression.left, expression.right);
      case 'ternary':
        return this.evaluate(isTrue(await this.evaluate(expression.test)) ? expression.yes : expression.no);
      case 'in':
        return this.array(expression.name).has(await this.subscript(expression.subscripts)) ? 1 : 0;
      case 'call':
        return expression.builtin
          ? this.callBuiltin(expression.name, expression.args)
          : this.callFunction(expression.name, expression.args);
      case 'getline':
        return this.getline(expression);
    }
  }

  private async binary(operator: string, left: Expression, right: Expression): Promise<Value> {
    if (operator === '~' || operator === '!~') {
      const text = toText(await this.evaluate(left));
      const matches = (await this.regex(right)).test(text);
      return matches === (operator === '~') ? 1 : 0;
    }
    const first = await this.evaluate(left);
    if (operator === '&&') return isTrue(first) && isTrue(await this.evaluate(right)) ? 1 : 0;
    if (operator === '||') return isTrue(first) || isTrue(await this.evaluate(right)) ? 1 : 0;
    const second = await this.evaluate(right);
    switch (operator) {
      case ' ':
        return toText(first) + toText(second);
      case '<':
        return compareValues(first, second) < 0 ? 1 : 0;
      case '<=':
        return compareValues(first, second) <= 0 ? 1 : 0;
      case '>':
        return compareValues(first, second) > 0 ? 1 : 0;
      case '>=':
        return compareValues(first, second) >= 0 ? 1 : 0;
      case '==':
        return compareValues(first, second) === 0 ? 1 : 0;
      case '!=':
        return compareValues(first, second) !== 0 ? 1 : 0;
      default:
        return arithmetic(operator, toNumber(first), toNumber(second));
    }
  }

  private async assign(expression: Extract<Expression, { kind: 'assign' }>): Promise<Value> {
    const given = await this.evaluate(expression.value);
    const value =
      expression.operator === '='
        ? given
        : arithmetic(
            expression.operator.slice(0, -1),
            toNumber(await this.evaluate(expression.target)),
            toNumber(given),
          );
    await this.store(expression.target, value);
    return value;
  }

  private async store(target: Expression, value: Value): Promise<void> {
    switch (target.kind) {
      case 'variable':
        this.assignVariable(target.name, value);
        return;
      case 'element':
        this.array(target.name).set(await this.subscript(target.subscripts), value);
        return;
      case 'field':
        this.setField(toNumber(await this.evaluate(target.index)), value);
        return;
      default:
        throw new UsageError('assignment to something that is no variable');
    }
  }

  // ---- variables ----

  private get(name: string): Value {
    const value = this.globals.get(name);
    return value instanceof Map ? undefined : value;
  }

  private frameOf(name: string): Frame {
    const frame = this.frames.at(-1);
    return frame?.has(name) ? frame : this.globals;
  }

  private scalar(name: string): Value {
    if (name === 'NF') this.splitRecord();
    const value = this.frameOf(name).get(name);
    if (value instanceof Map) throw new UsageError(`array '${name}' used in scalar context`);
    return value;
  }

  private assignVariable(name: string, value: Value): void {
    this.frameOf(name).set(name, value);
    if (name !== 'NF') return;
    const fields = this.splitRecord();
    fields.length = Math.max(0, toNumber(value));
    this.rebuild(fields);
  }

  private array(name: string): AwkArray {
    const frame = this.frameOf(name);
    const value = frame.get(name);
    if (value instanceof Map) return value;
    if (value !== undefined) throw new UsageError(`'${name}' is no array`);
    const array: AwkArray = new Map();
    frame.set(name, array);
    return array;
  }

  private async subscript(subscripts: readonly Expression[]): Promise<string> {
    const parts: string[] = [];
    for (const subscript of subscripts) parts.push(toText(await this.evaluate(subscript)));
    return parts.join(toText(this.get('SUBSEP')));
  }

  // ---- records and fields ----

  private setRecord(text: string): void {
    this.record = text;
    this.fields = undefined;
  }

  private splitRecord(): Value[] {
    if (this.fields === undefined) {
      this.fields = this.split(this.record, toText(this.get('FS'))).map(inputValue);
      this.globals.set('NF', this.fields.length);
    }
    return this.fields;
  }

  private field(index: number): Value {
    if (index < 0) throw new UsageError('access to negative field');
    return index === 0 ? inputValue(this.record) : this.splitRecord()[index - 1];
  }

  private setField(index: number, value: Value): void {
    if (index === 0) {
      this.setRecord(toText(value));
      return;
    }
    const fields = this.splitRecord();
    while (fields.length < index - 1) fields.push('');
    fields[index - 1] = value;
    this.rebuild(fields);
  }

  private rebuild(fields: Value[]): void {
    this.fields = fields;
    this.globals.set('NF', fields.length);
    this.record = fields.map(toText).join(toText(this.get('OFS')));
  }

  private split(text: string, separator: string): string[] {
    if (separator === ' ') return text.split(/[ \t\n]+/).filter((part) => part !== '');
    if (text === '') return [];
    if (separator === '') return [...text];
    if (separator.length === 1 && separator !== '\\') return text.split(separator);
    return text.split(this.expression(separator));
  }

  private expression(source: string): RegExp {
    let expression = this.expressions.get(source);
    if (expression === undefined) {
      expression = regularExpression(source, { extended: true });
      this.expressions.set(source, expression);
    }
    return expression;
  }

  /** The right side of `~`: an expression literal, or text that is one. */
  private async regex(expression: Expression): Promise<RegExp> {
    return this.expression(expression.kind === 'regex' ? expression.source : toText(await this.evaluate(expression)));
  }

  private async getline({ from, source, target }: Extract<Expression, { kind: 'getline' }>): Promise<Value> {
    if (from === 'input') {
      const line = await this.streams.nextRecord(toText(this.get('RS')), (name, value) =>
        this.setVariable(name, value),
      );
      if (line === undefined) return 0;
      this.globals.set('NR', toNumber(this.get('NR')) + 1);
      this.globals.set('FNR', toNumber(this.get('FNR')) + 1);
      await this.store(target ?? { kind: 'field', index: { kind: 'number', value: 0 } }, inputValue(line.text));
      return 1;
    }
    const name = source === undefined ? '' : toText(await this.evaluate(source));
    const line = await this.streams.readFrom(from, name);
    if (typeof line === 'number') return line;
    await this.store(target ?? { kind: 'field', index: { kind: 'number', value: 0 } }, inputValue(line));
    return 1;
  }

  // ---- functions ----

  private async callFunction(name: string, args: readonly Expression[]): Promise<Value> {
    const definition = this.program.functions.get(name);
    if (definition === undefined) throw new UsageError(`call to undefined function '${name}'`);
    if (this.frames.length > MAX_CALL_DEPTH) throw new UsageError(`function '${name}' calls itself too deeply`);
    const frame: Frame = new Map();
    const lent: { readonly parameter: string; readonly variable: string }[] = [];
    for (const [index, parameter] of definition.parameters.entries()) {
      const arg = args[index];
      if (arg?.kind !== 'variable') {
        frame.set(parameter, arg === undefined ? undefined : await this.evaluate(arg));
        continue;
      }
      const value = this.frameOf(arg.name).get(arg.name);
      frame.set(parameter, value);
      // An unset variable may become an array inside; the caller then has it too.
      if (value === undefined) lent.push({ parameter, variable: arg.name });
    }
    this.frames.push(frame);
    let result: Value;
    try {
      await this.execute(definition.body);
    } catch (leave) {
      if (!(leave instanceof Leave) || leave.kind !== 'return') throw leave;
      result = leave.value;
    } finally {
      this.frames.pop();
    }
    for (const { parameter, variable } of lent) {
      const value = frame.get(parameter);
      if (value instanceof Map) this.frameOf(variable).set(variable, value);
    }
    return result;
  }

  private async callBuiltin(name: string, args: readonly Expression[]): Promise<Value> {
    const text = async (index: number): Promise<string> => {
      const arg = args[index];
      return arg === undefined ? this.record : toText(await this.evaluate(arg));
    };
    const number = async (index: number): Promise<number> =>
      args[index] === undefined ? 0 : toNumber(await this.evaluate(args[index]));
    switch (name) {
      case 'length': {
        const [arg] = args;
        if (arg?.kind === 'variable' && this.frameOf(arg.name).get(arg.name) instanceof Map)
          return this.array(arg.name).size;
        return [...(await text(0))].length;
      }
      case 'substr': {
        const characters = [...(await text(0))];
        const start = Math.round(await number(1));
        const end = args[2] === undefined ? Number.POSITIVE_INFINITY : start + Math.round(await number(2));
        return characters.slice(Math.max(0, start - 1), Math.max(0, Math.min(end - 1, characters.length))).join('');
      }
      case 'index':
        return (await text(0)).indexOf(await text(1)) + 1;
      case 'split':
        return this.callSplit(args, await text(0));
      case 'sub':
      case 'gsub':
        return this.substitute(name === 'gsub', args);
      case 'match': {
        const found = args[1] === undefined ? null : (await this.regex(args[1])).exec(await text(0));
        this.globals.set('RSTART', found === null ? 0 : found.index + 1);
        this.globals.set('RLENGTH', found === null ? -1 : found[0].length);
        return found === null ? 0 : found.index + 1;
      }
      case 'sprintf': {
        const values: Value[] = [];
        for (const arg of args) values.push(await this.evaluate(arg));
        return this.format(values);
      }
      case 'tolower':
        return (await text(0)).toLowerCase();
      case 'toupper':
        return (await text(0)).toUpperCase();
      case 'int':
        return Math.trunc(await number(0));
      case 'sin':
      case 'cos':
      case 'exp':
      case 'log':
      case 'sqrt':
        return Math[name](await number(0));
      case 'atan2':
        return Math.atan2(await number(0), await number(1));
      case 'rand':
        return this.random();
      case 'srand': {
        const before = this.seed;
        this.seed = args.length === 0 ? Math.floor(Date.now() / 1000) : await number(0);
        return before;
      }
      case 'systime':
        return Math.floor(Date.now() / 1000);
      case 'strftime':
        return formatDate(
          args[1] === undefined ? new Date() : new Date((await number(1)) * 1000),
          args[0] === undefined ? '%a %b %e %H:%M:%S UTC %Y' : await text(0),
        );
      case 'system':
        return this.streams.system(await text(0));
      case 'close':
        return this.streams.close(await text(0));
      default:
        return 0;
    }
  }

  private async callSplit(args: readonly Expression[], text: string): Promise<number> {
    const [, target, separator] = args;
    if (target?.kind !== 'variable') throw new UsageError('split: second argument is no array');
    const parts =
      separator?.kind === 'regex'
        ? text === ''
          ? []
          : text.split(this.expression(separator.source))
        : this.split(text, separator === undefined ? toText(this.get('FS')) : toText(await this.evaluate(separator)));
    const array = this.array(target.name);
    array.clear();
    for (const [index, part] of parts.entries()) array.set(String(index + 1), inputValue(part));
    return parts.length;
  }

  private async substitute(all: boolean, args: readonly Expression[]): Promise<number> {
    const [pattern, replacement, target = { kind: 'field', index: { kind: 'number', value: 0 } } satisfies Expression] =
      args;
    if (pattern === undefined || replacement === undefined) throw new UsageError('sub: too few arguments');
    const expression = await this.regex(pattern);
    const text = toText(await this.evaluate(replacement));
    const before = toText(await this.evaluate(target));
    let count = 0;
    const global = new RegExp(expression.source, all ? 'g' : '');
    const after = before.replace(global, (found: string) => {
      count += 1;
      return text.replace(/\\\\|\\&|&/g, (mark) => (mark === '&' ? found : mark.charAt(1)));
    });
    if (count > 0) await this.store(target, after);
    return count;
  }

  /** A small generator of our own: `srand(n)` must repeat. */
  private random(): number {
    this.seed = (Math.imul(Math.trunc(this.seed), 1_664_525) + 1_013_904_223) >>> 0;
    return this.seed / 2 ** 32;
  }

  private format([format, ...values]: readonly Value[]): string {
    let next = 0;
    const take = (): Value => values[next++];
    return toText(format).replace(
      /%([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]*([diouxXeEfFgGcs%])/g,
      (whole, flags: string, widthText: string | undefined, precisionText: string | undefined, conversion: string) => {
        if (conversion === '%') return '%';
        const width = widthText === '*' ? toNumber(take()) : Number(widthText ?? 0);
        const hasPrecision = /\./.test(whole);
        const precision = precisionText === '*' ? toNumber(take()) : Number(precisionText ?? 0);
        const body = formatValue(conversion, flags, hasPrecision ? precision : undefined, take());
        if (flags.includes('-')) return body.padEnd(width);
        if (!flags.includes('0') || 'cs'.includes(conversion)) return body.padStart(width);
        const sign = /^[-+ ]/.exec(body)?.[0] ?? '';
        return sign + body.slice(sign.length).padStart(width - sign.length, '0');
      },
    );
  }
}

function formatValue(conversion: string, flags: string, precision: number | undefined, value: Value): string {
  switch (conversion) {
    case 's':
      return toText(value).slice(0, precision);
    case 'c':
      return typeof value === 'number' ? String.fromCodePoint(Math.max(0, Math.trunc(value))) : toText(value).charAt(0);
    case 'd':
    case 'i':
    case 'u': {
      const number = Math.trunc(toNumber(value));
      const sign = number < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
      return sign + toText(Math.abs(number)).padStart(precision ?? 0, '0');
    }
    case 'o':
      return Math.trunc(toNumber(value)).toString(8);
    case 'x':
      return Math.trunc(toNumber(value)).toString(16);
    case 'X':
      return Math.trunc(toNumber(value)).toString(16).toUpperCase();
    default:
      return floatText(toNumber(value), conversion, flags, precision ?? 6);
  }
}

function arithmetic(operator: string, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
    case '%':
      if (right === 0) throw new UsageError('division by zero');
      return operator === '/' ? left / right : left % right;
    default:
      return left ** right;
  }
}
