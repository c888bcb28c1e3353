/** Runs an awk program over its input. */
import { fairTurn } from '../../fair-turn.ts';
import { UsageError } from '../options.ts';
import { AwkBuiltins, type AwkMachine } from './builtins.ts';
import { formatValues } from './format.ts';
import { AwkMemory, type Frame } from './memory.ts';
import type { AwkStreams } from './streams.ts';
import type { AwkProgram, Expression, Rule, Statement } from './syntax.ts';
import { type AwkArray, arithmetic, compareValues, inputValue, isTrue, toNumber, toText, type Value } from './value.ts';

/** How a statement leaves: thrown. */
class Leave {
  readonly kind: 'next' | 'nextfile' | 'break' | 'continue' | 'exit' | 'return';
  readonly value: Value;

  constructor(kind: Leave['kind'], value?: Value) {
    this.kind = kind;
    this.value = value;
  }
}

const MAX_CALL_DEPTH = 1000;
const YIELD_EVERY = 2000;

export class AwkInterpreter extends AwkMemory implements AwkMachine {
  private readonly program: AwkProgram;
  readonly streams: AwkStreams;
  private readonly activeRanges = new Set<Rule>();
  private steps = 0;
  private exitCode = 0;
  private readonly builtins = new AwkBuiltins(this);

  constructor(program: AwkProgram, streams: AwkStreams) {
    super();
    this.program = program;
    this.streams = streams;
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
    const line = await this.streams.nextRecord(toText(this.getGlobal('RS')), (name, value) =>
      this.setVariable(name, value),
    );
    if (line === undefined) return false;
    this.setRecord(line.text);
    this.globals.set('NR', toNumber(this.getGlobal('NR')) + 1);
    this.globals.set('FNR', line.isFirst ? 1 : toNumber(this.getGlobal('FNR')) + 1);
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
    if (rule.body === undefined) await this.streams.print(`${this.record}${toText(this.getGlobal('ORS'))}`);
    else await this.execute(rule.body);
  }

  private async execute(statement: Statement): Promise<void> {
    this.steps += 1;
    if (this.steps % YIELD_EVERY === 0) {
      await fairTurn();
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
    if (statement.formatted) text = formatValues(values);
    else
      text =
        (values.length === 0 ? this.record : values.map(toText).join(toText(this.getGlobal('OFS')))) +
        toText(this.getGlobal('ORS'));
    const { redirect } = statement;
    if (redirect === undefined) await this.streams.print(text);
    else await this.streams.printTo(redirect.operator, toText(await this.evaluate(redirect.target)), text);
  }

  async evaluate(expression: Expression): Promise<Value> {
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
          ? this.builtins.call(expression.name, expression.args)
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

  async store(target: Expression, value: Value): Promise<void> {
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

  private async subscript(subscripts: readonly Expression[]): Promise<string> {
    const parts: string[] = [];
    for (const subscript of subscripts) parts.push(toText(await this.evaluate(subscript)));
    return parts.join(toText(this.getGlobal('SUBSEP')));
  }

  /** The right side of `~`: an expression literal, or text that is one. */
  async regex(expression: Expression): Promise<RegExp> {
    return this.expression(expression.kind === 'regex' ? expression.source : toText(await this.evaluate(expression)));
  }

  private async getline({ from, source, target }: Extract<Expression, { kind: 'getline' }>): Promise<Value> {
    if (from === 'input') {
      const line = await this.streams.nextRecord(toText(this.getGlobal('RS')), (name, value) =>
        this.setVariable(name, value),
      );
      if (line === undefined) return 0;
      this.globals.set('NR', toNumber(this.getGlobal('NR')) + 1);
      this.globals.set('FNR', toNumber(this.getGlobal('FNR')) + 1);
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
}
