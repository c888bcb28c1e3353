/** awk's expressions by precedence (POSIX awk, grammar); statements are `parser.ts`. */
import { UsageError } from '../options.ts';
import type { Token } from './lexer.ts';
import type { Expression } from './syntax.ts';

const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '^=']);
const COMPARISONS = new Set(['<', '<=', '==', '!=', '>', '>=']);

export class ExpressionParser {
  protected readonly tokens: readonly Token[];
  protected index = 0;
  /** Inside `print ...`: `>` redirects. */
  protected noGreater = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  protected expression(): Expression {
    const left = this.ternary();
    const operator = this.peek();
    if (operator.kind !== 'operator' || !ASSIGNMENTS.has(operator.text)) return left;
    if (left.kind !== 'variable' && left.kind !== 'field' && left.kind !== 'element') throw this.unexpected();
    this.index += 1;
    this.skipNewlines();
    return { kind: 'assign', operator: operator.text, target: left, value: this.expression() };
  }

  private ternary(): Expression {
    const test = this.or();
    if (!this.take('?')) return test;
    this.skipNewlines();
    const yes = this.expression();
    this.skipNewlines();
    this.expect(':');
    this.skipNewlines();
    return { kind: 'ternary', test, yes, no: this.expression() };
  }

  private or(): Expression {
    let left = this.and();
    while (this.take('||')) {
      this.skipNewlines();
      left = { kind: 'binary', operator: '||', left, right: this.and() };
    }
    return left;
  }

  private and(): Expression {
    let left = this.membership();
    while (this.take('&&')) {
      this.skipNewlines();
      left = { kind: 'binary', operator: '&&', left, right: this.membership() };
    }
    return left;
  }

  private membership(): Expression {
    let left = this.matching();
    while (this.takeKeyword('in'))
      left = { kind: 'in', subscripts: [left], name: this.tokens[this.index++]?.text ?? '' };
    return left;
  }

  private matching(): Expression {
    let left = this.comparison();
    for (;;) {
      const operator = this.is('operator', '~') ? '~' : this.is('operator', '!~') ? '!~' : undefined;
      if (operator === undefined) return left;
      this.index += 1;
      left = { kind: 'binary', operator, left, right: this.comparison() };
    }
  }

  private comparison(): Expression {
    const left = this.pipeGetline(this.concatenation());
    const operator = this.peek();
    if (
      operator.kind !== 'operator' ||
      !COMPARISONS.has(operator.text) ||
      (operator.text === '>' && this.noGreater > 0)
    )
      return left;
    this.index += 1;
    return { kind: 'binary', operator: operator.text, left, right: this.concatenation() };
  }

  /** `"command" | getline [target]`. */
  private pipeGetline(left: Expression): Expression {
    let result = left;
    while (this.is('operator', '|') && this.tokens[this.index + 1]?.text === 'getline') {
      this.index += 2;
      result = { kind: 'getline', from: 'command', source: result, target: this.getlineTarget() };
    }
    return result;
  }

  protected concatenation(): Expression {
    let left = this.additive();
    while (this.startsOperand()) left = { kind: 'binary', operator: ' ', left, right: this.additive() };
    return left;
  }

  private startsOperand(): boolean {
    const token = this.peek();
    if (token.kind === 'keyword') return false;
    if (token.kind === 'operator') return ['$', '!', '(', '++', '--'].includes(token.text);
    return token.kind !== 'newline' && token.kind !== 'end';
  }

  private additive(): Expression {
    let left = this.multiplicative();
    for (;;) {
      const operator = this.is('operator', '+') ? '+' : this.is('operator', '-') ? '-' : undefined;
      if (operator === undefined) return left;
      this.index += 1;
      left = { kind: 'binary', operator, left, right: this.multiplicative() };
    }
  }

  private multiplicative(): Expression {
    let left = this.unary();
    for (;;) {
      const operator = ['*', '/', '%'].find((text) => this.is('operator', text));
      if (operator === undefined) return left;
      this.index += 1;
      left = { kind: 'binary', operator, left, right: this.unary() };
    }
  }

  private unary(): Expression {
    const operator = ['!', '-', '+'].find((text) => this.is('operator', text));
    if (operator === undefined) return this.power();
    this.index += 1;
    return { kind: 'unary', operator, operand: this.unary() };
  }

  private power(): Expression {
    const left = this.postfix();
    if (!this.take('^')) return left;
    return { kind: 'binary', operator: '^', left, right: this.unary() };
  }

  private postfix(): Expression {
    const operand = this.primary();
    if (operand.kind !== 'variable' && operand.kind !== 'field' && operand.kind !== 'element') return operand;
    if (this.take('++')) return { kind: 'step', target: operand, by: 1, prefix: false };
    if (this.take('--')) return { kind: 'step', target: operand, by: -1, prefix: false };
    return operand;
  }

  private primary(): Expression {
    const token = this.peek();
    this.index += 1;
    switch (token.kind) {
      case 'number':
        return { kind: 'number', value: Number(token.text) };
      case 'string':
        return { kind: 'string', value: token.text };
      case 'regex':
        return { kind: 'regex', source: token.text };
      case 'builtin':
        return { kind: 'call', name: token.text, args: this.take('(') ? this.list(')') : [], builtin: true };
      case 'function-name':
        this.expect('(');
        return { kind: 'call', name: token.text, args: this.list(')'), builtin: false };
      case 'name':
        if (this.take('[')) return { kind: 'element', name: token.text, subscripts: this.list(']') };
        return { kind: 'variable', name: token.text };
      case 'keyword':
        if (token.text === 'getline') return this.plainGetline();
        break;
      case 'operator':
        return this.operatorPrimary(token.text);
      default:
    }
    this.index -= 1;
    throw this.unexpected();
  }

  private operatorPrimary(text: string): Expression {
    switch (text) {
      case '$': {
        if (this.take('++'))
          return { kind: 'field', index: { kind: 'step', target: this.primary(), by: 1, prefix: true } };
        if (this.take('--'))
          return { kind: 'field', index: { kind: 'step', target: this.primary(), by: -1, prefix: true } };
        const index = this.take('-')
          ? ({ kind: 'unary', operator: '-', operand: this.primary() } as const)
          : this.primary();
        return { kind: 'field', index };
      }
      case '++':
      case '--':
        return { kind: 'step', target: this.primary(), by: text === '++' ? 1 : -1, prefix: true };
      case '(': {
        const saved = this.noGreater;
        this.noGreater = 0;
        const items = this.list(')');
        this.noGreater = saved;
        const [first] = items;
        if (items.length > 1 && this.takeKeyword('in'))
          return { kind: 'in', subscripts: items, name: this.tokens[this.index++]?.text ?? '' };
        if (first === undefined || items.length > 1) throw this.unexpected();
        // Parentheses end what may be assigned to.
        return first.kind === 'variable' || first.kind === 'element' || first.kind === 'field'
          ? first
          : { kind: 'ternary', test: { kind: 'number', value: 1 }, yes: first, no: first };
      }
      default:
        this.index -= 1;
        throw this.unexpected();
    }
  }

  private plainGetline(): Expression {
    const target = this.getlineTarget();
    if (!this.take('<')) return { kind: 'getline', from: 'input', source: undefined, target };
    return { kind: 'getline', from: 'file', source: this.primary(), target };
  }

  private getlineTarget(): Expression | undefined {
    return this.peek().kind === 'name' || this.is('operator', '$') ? this.primary() : undefined;
  }

  protected parenthesized(): Expression {
    this.expect('(');
    const expression = this.expression();
    this.expect(')');
    return expression;
  }

  protected list(close: string): Expression[] {
    const items: Expression[] = [];
    this.skipNewlines();
    while (!this.take(close)) {
      items.push(this.expression());
      this.skipNewlines();
      if (this.take(',')) this.skipNewlines();
      else if (!this.is('operator', close)) throw this.unexpected();
    }
    return items;
  }

  protected atEnd(): boolean {
    const token = this.peek();
    return (
      token.kind === 'newline' ||
      token.kind === 'end' ||
      (token.kind === 'operator' && [';', '}', ')'].includes(token.text))
    );
  }

  protected peek(): Token {
    return this.tokens[this.index] ?? { kind: 'end', text: 'end of program' };
  }

  protected is(kind: Token['kind'], text: string): boolean {
    const token = this.peek();
    return token.kind === kind && token.text === text;
  }

  protected take(text: string): boolean {
    if (!this.is('operator', text)) return false;
    this.index += 1;
    return true;
  }

  protected takeKeyword(text: string): boolean {
    if (!this.is('keyword', text)) return false;
    this.index += 1;
    return true;
  }

  protected expect(text: string): void {
    if (!this.take(text)) throw this.unexpected();
  }

  protected skipNewlines(): void {
    while (this.peek().kind === 'newline') this.index += 1;
  }

  protected skipTerminators(): void {
    while (this.peek().kind === 'newline' || this.is('operator', ';')) this.index += 1;
  }

  protected unexpected(): UsageError {
    const { text } = this.peek();
    return new UsageError(`cmd. line:1: Unexpected ${text === '\n' ? 'newline' : `token '${text}'`}`);
  }
}
