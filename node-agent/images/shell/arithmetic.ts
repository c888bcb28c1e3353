/** Arithmetic (POSIX 2.6.4): 64-bit integers, C's operators, assignments to variables. */
import { type ArithmeticExpression, parse, type Word } from 'unbash';
import { expandText } from './expansion.ts';
import { ShellError } from './flow.ts';
import { parameterValue } from './parameter.ts';
import type { Shell } from './shell.ts';

/** Values of variables may be expressions themselves; a variable that names itself must end somewhere. */
const MAX_DEPTH = 64;

export async function evaluateArithmetic(
  shell: Shell,
  expression: ArithmeticExpression | undefined,
  depth = 0,
): Promise<bigint> {
  if (expression === undefined) return 0n;
  if (depth > MAX_DEPTH) throw new ShellError('arithmetic syntax error: expression recursion level exceeded');
  switch (expression.type) {
    case 'ArithmeticGroup':
      return evaluateArithmetic(shell, expression.expression, depth + 1);
    case 'ArithmeticTernary': {
      const chosen =
        (await evaluateArithmetic(shell, expression.test, depth + 1)) !== 0n
          ? expression.consequent
          : expression.alternate;
      return evaluateArithmetic(shell, chosen, depth + 1);
    }
    case 'ArithmeticUnary':
      return unary(shell, expression.operator, expression.operand, expression.prefix, depth);
    case 'ArithmeticBinary':
      return binary(shell, expression.operator, expression.left, expression.right, depth);
    case 'ArithmeticWord':
      return word(shell, expression, depth);
    case 'ArithmeticCommandExpansion':
      return evaluateArithmeticText(shell, await expandSource(shell, expression.text), depth + 1);
  }
}

/** Evaluates text in which expansions were already made. */
export async function evaluateArithmeticText(shell: Shell, text: string, depth = 0): Promise<bigint> {
  const trimmed = text.trim();
  if (trimmed === '') return 0n;
  const literal = integer(trimmed);
  if (literal !== undefined) return literal;
  const [statement] = parse(`: $((${trimmed}))`).commands;
  const argument = statement?.command.type === 'Command' ? statement.command.args[0] : undefined;
  const part = argument?.type === 'Word' ? argument.parts?.[0] : undefined;
  if (part?.type !== 'ArithmeticExpansion' || part.expression === undefined) throw syntaxError(trimmed);
  // A lone word that is no variable would come back here for ever.
  if (part.expression.type === 'ArithmeticWord' && !isName(part.expression.value)) throw syntaxError(trimmed);
  return evaluateArithmetic(shell, part.expression, depth + 1);
}

function syntaxError(text: string): ShellError {
  return new ShellError(`arithmetic syntax error: "${text}"`);
}

async function word(
  shell: Shell,
  expression: Extract<ArithmeticExpression, { type: 'ArithmeticWord' }>,
  depth: number,
): Promise<bigint> {
  const { value, parts } = expression;
  if (parts !== undefined && parts.length > 0) {
    const expanded = await expandText(
      shell,
      { type: 'Word', text: value, value, pos: 0, end: 0, parts } satisfies Word,
      'quoted',
    );
    return evaluateArithmeticText(shell, expanded, depth + 1);
  }
  const literal = integer(value);
  if (literal !== undefined) return literal;
  if (/[$`'"]/.test(value)) return evaluateArithmeticText(shell, await expandSource(shell, value), depth + 1);
  if (!isName(value)) throw syntaxError(value);
  const text = parameterValue(shell, value);
  if (text === undefined && shell.options.has('nounset')) throw new ShellError(`${value}: parameter not set`);
  return evaluateArithmeticText(shell, text ?? '', depth + 1);
}

/** `$x` alone and `$(...)` inside an expression come as text; a quoted word's parser gives their parts. */
async function expandSource(shell: Shell, source: string): Promise<string> {
  const [statement] = parse(`: "${source}"`).commands;
  const argument = statement?.command.type === 'Command' ? statement.command.args[0] : undefined;
  return argument?.type === 'Word' ? expandText(shell, argument) : '';
}

function isName(text: string): boolean {
  return /^[A-Za-z_]\w*$/.test(text);
}

/** Decimal, octal (0), hexadecimal (0x) and base#digits; undefined when it is none. */
function integer(text: string): bigint | undefined {
  if (/^-?(0|[1-9]\d*)$/.test(text)) return wrap(BigInt(text));
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return wrap(BigInt(text));
  if (/^0[0-7]+$/.test(text)) return wrap(BigInt(`0o${text.slice(1)}`));
  const based = /^(\d+)#([0-9a-zA-Z]+)$/.exec(text);
  if (based === null) return undefined;
  const value = Number.parseInt(based[2] ?? '', Number(based[1]));
  return Number.isNaN(value) ? undefined : BigInt(value);
}

function wrap(value: bigint): bigint {
  return BigInt.asIntN(64, value);
}

async function unary(
  shell: Shell,
  operator: string,
  operand: ArithmeticExpression,
  prefix: boolean,
  depth: number,
): Promise<bigint> {
  const value = await evaluateArithmetic(shell, operand, depth + 1);
  switch (operator) {
    case '-':
      return wrap(-value);
    case '+':
      return value;
    case '!':
      return value === 0n ? 1n : 0n;
    case '~':
      return wrap(~value);
    case '++':
    case '--': {
      const changed = wrap(operator === '++' ? value + 1n : value - 1n);
      shell.set(assignable(operand), String(changed));
      return prefix ? changed : value;
    }
    default:
      throw syntaxError(operator);
  }
}

function assignable(expression: ArithmeticExpression): string {
  if (expression.type === 'ArithmeticWord' && isName(expression.value)) return expression.value;
  throw new ShellError('arithmetic syntax error: attempted assignment to non-variable');
}

async function binary(
  shell: Shell,
  operator: string,
  left: ArithmeticExpression,
  right: ArithmeticExpression,
  depth: number,
): Promise<bigint> {
  if (operator.endsWith('=') && !['==', '!=', '<=', '>='].includes(operator)) {
    const name = assignable(left);
    const value = await evaluateArithmetic(shell, right, depth + 1);
    const result =
      operator === '='
        ? value
        : compute(operator.slice(0, -1), await evaluateArithmetic(shell, left, depth + 1), value);
    shell.set(name, String(result));
    return result;
  }
  const first = await evaluateArithmetic(shell, left, depth + 1);
  if (operator === '&&' && first === 0n) return 0n;
  if (operator === '||' && first !== 0n) return 1n;
  return compute(operator, first, await evaluateArithmetic(shell, right, depth + 1));
}

function compute(operator: string, left: bigint, right: bigint): bigint {
  const truth = (value: boolean): bigint => (value ? 1n : 0n);
  switch (operator) {
    case '+':
      return wrap(left + right);
    case '-':
      return wrap(left - right);
    case '*':
      return wrap(left * right);
    case '/':
    case '%':
      if (right === 0n) throw new ShellError('divide by zero');
      return wrap(operator === '/' ? left / right : left % right);
    case '**':
      if (right < 0n || right > 4096n) throw new ShellError('exponent out of range');
      return wrap(left ** right);
    case '<<':
      return wrap(left << (right & 63n));
    case '>>':
      return wrap(left >> (right & 63n));
    case '<':
      return truth(left < right);
    case '<=':
      return truth(left <= right);
    case '>':
      return truth(left > right);
    case '>=':
      return truth(left >= right);
    case '==':
      return truth(left === right);
    case '!=':
      return truth(left !== right);
    case '&':
      return left & right;
    case '|':
      return left | right;
    case '^':
      return left ^ right;
    case '&&':
      return truth(left !== 0n && right !== 0n);
    case '||':
      return truth(left !== 0n || right !== 0n);
    case ',':
      return right;
    default:
      throw syntaxError(operator);
  }
}
