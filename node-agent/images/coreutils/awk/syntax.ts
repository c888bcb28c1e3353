/** The syntax tree of an awk program (POSIX awk, with gawk's `length` of arrays, `tolower`, `strftime`, `**`). */

export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'regex'; readonly source: string }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'field'; readonly index: Expression }
  | { readonly kind: 'element'; readonly name: string; readonly subscripts: readonly Expression[] }
  | { readonly kind: 'assign'; readonly operator: string; readonly target: Expression; readonly value: Expression }
  | { readonly kind: 'step'; readonly target: Expression; readonly by: number; readonly prefix: boolean }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: Expression }
  | { readonly kind: 'binary'; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'ternary'; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: 'in'; readonly subscripts: readonly Expression[]; readonly name: string }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[]; readonly builtin: boolean }
  | {
      readonly kind: 'getline';
      readonly from: 'input' | 'file' | 'command';
      readonly source: Expression | undefined;
      readonly target: Expression | undefined;
    };

export interface Redirect {
  readonly operator: '>' | '>>' | '|';
  readonly target: Expression;
}

export type Statement =
  | { readonly kind: 'expression'; readonly expression: Expression }
  | {
      readonly kind: 'print';
      readonly args: readonly Expression[];
      readonly redirect: Redirect | undefined;
      readonly formatted: boolean;
    }
  | { readonly kind: 'if'; readonly test: Expression; readonly yes: Statement; readonly no: Statement | undefined }
  | { readonly kind: 'while'; readonly test: Expression; readonly body: Statement; readonly testFirst: boolean }
  | {
      readonly kind: 'for';
      readonly start: Statement | undefined;
      readonly test: Expression | undefined;
      readonly after: Statement | undefined;
      readonly body: Statement;
    }
  | { readonly kind: 'for-in'; readonly variable: string; readonly array: string; readonly body: Statement }
  | { readonly kind: 'block'; readonly statements: readonly Statement[] }
  | { readonly kind: 'next' | 'nextfile' | 'break' | 'continue' }
  | { readonly kind: 'exit' | 'return'; readonly value: Expression | undefined }
  | { readonly kind: 'delete'; readonly name: string; readonly subscripts: readonly Expression[] | undefined };

export interface Rule {
  readonly pattern: 'BEGIN' | 'END' | Expression | undefined;
  /** The second expression of a range. */
  readonly until: Expression | undefined;
  /** Undefined: print the record. */
  readonly body: Statement | undefined;
}

export interface AwkFunction {
  readonly parameters: readonly string[];
  readonly body: Statement;
}

export interface AwkProgram {
  readonly rules: readonly Rule[];
  readonly functions: ReadonlyMap<string, AwkFunction>;
}
