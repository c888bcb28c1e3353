/** An awk program's tree from its tokens, by precedence (POSIX awk, grammar). */
import { ExpressionParser } from './expression-parser.ts';
import { tokenize } from './lexer.ts';
import type { AwkFunction, AwkProgram, Expression, Redirect, Rule, Statement } from './syntax.ts';

export function parseAwk(source: string): AwkProgram {
  return new Parser(tokenize(source)).program();
}

class Parser extends ExpressionParser {
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
}
