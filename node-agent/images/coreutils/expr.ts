/** expr: integers, comparisons, regular expressions, string functions. */
import { UsageError } from './options.ts';
import { regularExpression } from './regular-expression.ts';
import type { Utility } from './utility.ts';

export const expr: Utility = async (run) => {
  const parser = new ExprParser(run.args);
  const value = parser.parse();
  await run.print(`${value}\n`);
  return value === '' || value === '0' ? 1 : 0;
};

const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['&'],
  ['=', '==', '!=', '<', '<=', '>', '>='],
  ['+', '-'],
  ['*', '/', '%'],
  [':'],
];

class ExprParser {
  private readonly words: readonly string[];
  private index = 0;

  constructor(words: readonly string[]) {
    this.words = words;
  }

  parse(): string {
    if (this.words.length === 0) throw new UsageError('too few arguments');
    const value = this.level(0);
    if (this.index < this.words.length) throw new UsageError('syntax error');
    return value;
  }

  private level(depth: number): string {
    const operators = LEVELS[depth];
    if (operators === undefined) return this.primary();
    let left = this.level(depth + 1);
    for (
      let operator = this.words[this.index];
      operator !== undefined && operators.includes(operator);
      operator = this.words[this.index]
    ) {
      this.index += 1;
      left = apply(operator, left, this.level(depth + 1));
    }
    return left;
  }

  private primary(): string {
    const word = this.take();
    switch (word) {
      case '(': {
        const value = this.level(0);
        if (this.take() !== ')') throw new UsageError('syntax error');
        return value;
      }
      case 'length':
        return String(this.primary().length);
      case 'substr': {
        const [text, start, length] = [this.primary(), Number(this.primary()), Number(this.primary())];
        return start < 1 ? '' : text.substr(start - 1, length);
      }
      case 'index': {
        const [text, characters] = [this.primary(), this.primary()];
        return String([...text].findIndex((character) => characters.includes(character)) + 1);
      }
      case 'match':
        return apply(':', this.primary(), this.primary());
      default:
        return word;
    }
  }

  private take(): string {
    const word = this.words[this.index++];
    if (word === undefined) throw new UsageError('syntax error');
    return word;
  }
}

function apply(operator: string, left: string, right: string): string {
  const isTrue = (text: string): boolean => text !== '' && text !== '0';
  switch (operator) {
    case '|':
      return isTrue(left) ? left : right;
    case '&':
      return isTrue(left) && isTrue(right) ? left : '0';
    case ':': {
      const match = regularExpression(`^${right}`, { extended: false }).exec(left);
      return match?.[1] ?? String(match?.[0].length ?? 0);
    }
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return String(compute(operator, integer(left), integer(right)));
    default: {
      const numbers = /^-?\d+$/.test(left) && /^-?\d+$/.test(right);
      const order = numbers ? Number(BigInt(left) - BigInt(right)) : left < right ? -1 : left > right ? 1 : 0;
      return compare(operator, order) ? '1' : '0';
    }
  }
}

function compare(operator: string, order: number): boolean {
  switch (operator) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
    case '!=':
      return order !== 0;
    default:
      return order === 0;
  }
}

function integer(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new UsageError('non-numeric argument');
  return BigInt(text);
}

function compute(operator: string, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      if (right === 0n) throw new UsageError('division by zero');
      return operator === '/' ? left / right : left % right;
  }
}
