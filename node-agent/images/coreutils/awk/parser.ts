/** An awk program's tree from its tokens, by precedence (POSIX awk, grammar). */
import { UsageError } from '../options.ts';
import { type Token, tokenize } from './lexer.ts';
import type { AwkFunction, AwkProgram, Expression, Redirect, Rule, Statement } from './syntax.ts';

export function parseAwk(source: string): AwkProgram {
  return new Parser(tokenize(source)).program();
}

const ASSIGNMENTS = new Set(['=', '+=', '-=', '*=', '/=', '%=', '^=']);
const COMPARISONS = new Set(['<', '<=', '==', '!=', '>', '>=']);

class Parser {
  private readonly tokens: readonly Token[];
  private index = 0;
  /** Inside `print ...`: `>` redirects. */
  private noGreater = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  program(): AwkProgram {
    const rules: Rule[] = [];
    const functions = new Map<string, AwkFunction>();
    for (this.skipTerminators(); this.peek().kind !== 'end'; this.skipTerminators()) {
      if (this.is('keyword', 'function') || this.is('keyword', 'func')) this.functionDefinition(functions);
      else rules.push(this.rule());
    }
    return { rules, functions };
  }

  private functionDefinition(functions: Map<string, AwkFunction>): void {
    this.index += 1;
    const name = this.tokens[this.index++]?.text ?? '';
    const parameters: string[] = [];
    this.expect('(');
    while (!this.take(')')) {
      parameters.push(this.tokens[this.index++]?.text ?? '');
      this.take(',');
      this.skipNewlines();
    }
    this.skipNewlines();
    functions.set(name, { parameters, body: this.block() });
  }

  private rule(): Rule {
    if (this.is('keyword', 'BEGIN') || this.is('keyword', 'END')) {
      const pattern = this.tokens[this.index++]?.text === 'BEGIN' ? 'BEGIN' : 'END';
      this.skipNewlines();
      return { pattern, until: undefined, body: this.block() };
    }
    const pattern = this.is('operator', '{') ? undefined : this.expression();
    let until: Expression | undefined;
    if (this.take(',')) {
      this.skipNewlines();
      until = this.expression();
    }
    return { pattern, until, body: this.is('operator', '{') ? this.block() : undefined };
  }

  private block(): Statement {
    this.expect('{');
    const statements: Statement[] = [];
    for (this.skipTerminators(); !this.take('}'); this.skipTerminators()) statements.push(this.statement());
    return { kind: 'block', statements };
  }

  private statement(): Statement {
    const token = this.peek();
    if (token.kind === 'operator' && token.text === '{') return this.block();
    if (token.kind === 'operator' && token.text === ';') {
      this.index += 1;
      return { kind: 'block', statements: [] };
    }
    if (token.kind === 'keyword') {
      switch (token.text) {
        case 'if':
          return this.ifStatement();
        case 'while':
          return this.whileStatement();
        case 'do':
          return this.doStatement();
        case 'for':
          return this.forStatement();
        default:
      }
    }
    const statement = this.simpleStatement();
    this.endOfStatement();
    return statement;
  }

  private endOfStatement(): void {
    if (this.take(';') || this.peek().kind === 'newline' || this.peek().kind === 'end' || this.is('operator', '}'))
      return;
    throw this.unexpected();
  }

  private body(): Statement {
    this.skipNewlines();
    return this.statement();
  }

  private ifStatement(): Statement {
    this.index += 1;
    const test = this.parenthesized();
    const yes = this.body();
    const start = this.index;
    this.skipTerminators();
    if (!this.takeKeyword('else')) {
      this.index = start;
      return { kind: 'if', test, yes, no: undefined };
    }
    return { kind: 'if', test, yes, no: this.body() };
  }

  private whileStatement(): Statement {
    this.index += 1;
    const test = this.parenthesized();
    if (this.take(';')) return { kind: 'while', test, body: { kind: 'block', statements: [] }, testFirst: true };
    return { kind: 'while', test, body: this.body(), testFirst: true };
  }

  private doStatement(): Statement {
    this.index += 1;
    const body = this.body();
    this.skipTerminators();
    if (!this.takeKeyword('while')) throw this.unexpected();
    const test = this.parenthesized();
    this.endOfStatement();
    return { kind: 'while', test, body, testFirst: false };
  }

  private forStatement(): Statement {
    this.index += 1;
    this.expect('(');
    const [variable, keyword, array, close] = this.tokens.slice(this.index, this.index + 4);
    if (variable?.kind === 'name' && keyword?.text === 'in' && array?.kind === 'name' && close?.text === ')') {
      this.index += 4;
      return { kind: 'for-in', variable: variable.text, array: array.text, body: this.body() };
    }
    const start = this.is('operator', ';') ? undefined : this.simpleStatement();
    this.expect(';');
    this.skipNewlines();
    const test = this.is('operator', ';') ? undefined : this.expression();
    this.expect(';');
    this.skipNewlines();
    const after = this.is('operator', ')') ? undefined : this.simpleStatement();
    this.expect(')');
    if (this.take(';')) return { kind: 'for', start, test, after, body: { kind: 'block', statements: [] } };
    return { kind: 'for', start, test, after, body: this.body() };
  }

  private simpleStatement(): Statement {
    const token = this.peek();
    if (token.kind !== 'keyword' || token.text === 'getline')
      return { kind: 'expression', expression: this.expression() };
    this.index += 1;
    switch (token.text) {
      case 'print':
      case 'printf':
        return this.print(token.text === 'printf');
      case 'next':
      case 'nextfile':
      case 'break':
      case 'continue':
        return { kind: token.text };
      case 'exit':
      case 'return':
        return { kind: token.text, value: this.atEnd() ? undefined : this.expression() };
      case 'delete': {
        const name = this.tokens[this.index++]?.text ?? '';
        const subscripts = this.take('[') ? this.list(']') : undefined;
        return { kind: 'delete', name, subscripts };
      }
      default:
        this.index -= 1;
        throw this.unexpected();
    }
  }

  private print(formatted: boolean): Statement {
    this.noGreater += 1;
    let args: readonly Expression[] = [];
    if (!this.atEnd() && !this.isRedirect()) args = this.printArguments();
    this.noGreater -= 1;
    return { kind: 'print', args, redirect: this.redirect(), formatted };
  }

  /** `print (a, b) > "file"`: the parentheses hold all arguments when a redirection or the end follows them. */
  private printArguments(): readonly Expression[] {
    const start = this.index;
    if (this.take('(')) {
      const saved = this.noGreater;
      this.noGreater = 0;
      const args = this.list(')');
      this.noGreater = saved;
      if (this.atEnd() || this.isRedirect()) return args;
      this.index = start;
    }
    const args = [this.expression()];
    while (this.take(',')) {
      this.skipNewlines();
      args.push(this.expression());
    }
    return args;
  }

  private isRedirect(): boolean {
    return this.is('operator', '>') || this.is('operator', '>>') || this.is('operator', '|');
  }

  private redirect(): Redirect | undefined {
    if (!this.isRedirect()) return undefined;
    const operator = this.tokens[this.index++]?.text;
    if (operator !== '>' && operator !== '>>' && operator !== '|') throw this.unexpected();
    return { operator, target: this.concatenation() };
  }

  private expression(): Expression {
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

  private concatenation(): Expression {
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

  private parenthesized(): Expression {
    this.expect('(');
    const expression = this.expression();
    this.expect(')');
    return expression;
  }

  private list(close: string): Expression[] {
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

  private atEnd(): boolean {
    const token = this.peek();
    return (
      token.kind === 'newline' ||
      token.kind === 'end' ||
      (token.kind === 'operator' && [';', '}', ')'].includes(token.text))
    );
  }

  private peek(): Token {
    return this.tokens[this.index] ?? { kind: 'end', text: 'end of program' };
  }

  private is(kind: Token['kind'], text: string): boolean {
    const token = this.peek();
    return token.kind === kind && token.text === text;
  }

  private take(text: string): boolean {
    if (!this.is('operator', text)) return false;
    this.index += 1;
    return true;
  }

  private takeKeyword(text: string): boolean {
    if (!this.is('keyword', text)) return false;
    this.index += 1;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) throw this.unexpected();
  }

  private skipNewlines(): void {
    while (this.peek().kind === 'newline') this.index += 1;
  }

  private skipTerminators(): void {
    while (this.peek().kind === 'newline' || this.is('operator', ';')) this.index += 1;
  }

  private unexpected(): UsageError {
    const { text } = this.peek();
    return new UsageError(`cmd. line:1: Unexpected ${text === '\n' ? 'newline' : `token '${text}'`}`);
  }
}
