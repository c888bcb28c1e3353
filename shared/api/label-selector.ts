/**
 * Label selectors: the text form of queries (`app=web,tier in (a,b),!canary,weight>3`) and the object form of specs
 * (`matchLabels`, `matchExpressions`), both compiled to one list of requirements that all must hold
 * (Kubernetes documentation, "Labels and Selectors").
 */
import { isLabelValue, isQualifiedName, LABEL_VALUE_MAX_LENGTH } from './name-format.ts';
import { type ApiError, badRequest } from './status.ts';

export type LabelOperator = 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  /** One or more for `in` and `notin`, one integer for `gt` and `lt`, none for `exists` and `!`. */
  readonly values: readonly string[];
}

/** All requirements must hold; none matches everything. */
export interface LabelSelector {
  readonly requirements: readonly LabelRequirement[];
}

/** The object form, as in `spec.selector` of a Deployment; all fields as they come from JSON. */
export interface LabelSelectorObject {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

export const EVERYTHING: LabelSelector = { requirements: [] };

export function labelSelectorMatches(
  selector: LabelSelector,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return selector.requirements.every((requirement) => requirementHolds(requirement, labels?.[requirement.key]));
}

function requirementHolds(requirement: LabelRequirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'notin':
      return value === undefined || !requirement.values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    case 'gt':
      return isInteger(value) && BigInt(value) > BigInt(requirement.values[0]!);
    case 'lt':
      return isInteger(value) && BigInt(value) < BigInt(requirement.values[0]!);
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^[+-]?\d+$/.test(value);
}

/** A plain map of labels, as in `spec.selector` of a Service. */
export function selectorFromLabels(labels: Readonly<Record<string, string>>): LabelSelector {
  return {
    requirements: Object.entries(labels).map(([key, value]) => ({ key, operator: 'in', values: [value] })),
  };
}

const OBJECT_OPERATORS: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** An empty object matches everything; absent (`undefined`, `null`) matches nothing, which is told by `undefined`. */
export function selectorFromObject(selector: LabelSelectorObject | null | undefined): LabelSelector | undefined {
  if (selector === undefined || selector === null) return undefined;
  const requirements: LabelRequirement[] = [...selectorFromLabels(selector.matchLabels ?? {}).requirements];
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = OBJECT_OPERATORS[operator];
    if (known === undefined) throw badRequest(`"${operator}" is not a valid label selector operator`);
    requirements.push({ key, operator: known, values: values ?? [] });
  }
  return { requirements };
}

/** True when the object form selects these labels; an absent selector selects nothing. */
export function objectSelectorMatches(
  selector: LabelSelectorObject | null | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const compiled = selectorFromObject(selector);
  return compiled !== undefined && labelSelectorMatches(compiled, labels);
}

/** The text form, canonical: `a=b,c in (d,e),!f`. */
export function labelSelectorText(selector: LabelSelector): string {
  return selector.requirements.map(requirementText).join(',');
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'in':
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${[...values].sort().join(',')})`;
    case 'notin':
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${[...values].sort().join(',')})`;
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'gt':
      return `${key}>${values[0]}`;
    case 'lt':
      return `${key}<${values[0]}`;
  }
}

/** Reads the text form; BadRequest names what was found and what was expected. */
export function parseLabelSelector(text: string): LabelSelector {
  return new SelectorParser(text).parse();
}

const SYMBOLS = ['==', '!=', '=', '!', '(', ')', ',', '>', '<'] as const;
const TOKEN = /\s*(==|!=|=|!|\(|\)|,|>|<|[^\s=!(),<>]+)/y;
const EMPTY_VALUE_ALLOWED_BEFORE = new Set([',', ')', '']);

class SelectorParser {
  private readonly tokens: string[] = [];
  private position = 0;

  constructor(text: string) {
    TOKEN.lastIndex = 0;
    for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) this.tokens.push(match[1]!);
  }

  parse(): LabelSelector {
    const requirements: LabelRequirement[] = [];
    if (this.peek() === '') return EVERYTHING;
    for (;;) {
      requirements.push(this.requirement());
      const separator = this.next();
      if (separator === '') return { requirements };
      if (separator !== ',') throw unexpected(separator, "',' or 'end of string'");
      if (this.peek() === '') throw unexpected('', "identifier after ','");
    }
  }

  private requirement(): LabelRequirement {
    if (this.peek() === '!') {
      this.next();
      return { key: this.key(), operator: '!', values: [] };
    }
    const key = this.key();
    const operator = this.peek();
    if (operator === ',' || operator === '') return { key, operator: 'exists', values: [] };
    this.next();
    switch (operator) {
      case '=':
      case '==':
        return { key, operator: 'in', values: [this.value(key)] };
      case '!=':
        return { key, operator: 'notin', values: [this.value(key)] };
      case '>':
      case '<':
        return { key, operator: operator === '>' ? 'gt' : 'lt', values: [this.integer(key)] };
      case 'in':
      case 'notin':
        return { key, operator, values: this.set(key) };
      default:
        throw unexpected(operator, 'in, notin, =, ==, !=, gt, lt');
    }
  }

  private key(): string {
    const key = this.next();
    if (key === '' || isSymbol(key)) throw unexpected(key, 'identifier');
    if (!isQualifiedName(key)) {
      throw unparsable(
        `key: Invalid value: ${JSON.stringify(key)}: must be a qualified name such as 'app' or 'example.com/app'`,
      );
    }
    return key;
  }

  /** May be empty: `a=` and `a=,b`. */
  private value(key: string): string {
    if (EMPTY_VALUE_ALLOWED_BEFORE.has(this.peek())) return '';
    const value = this.next();
    if (isSymbol(value)) throw unexpected(value, 'identifier');
    if (!isLabelValue(value)) {
      throw unparsable(
        `values[0][${key}]: Invalid value: ${JSON.stringify(value)}: a valid label must be an empty string or at most ` +
          `${LABEL_VALUE_MAX_LENGTH} alphanumeric characters, '-', '_' or '.', starting and ending with an alphanumeric character`,
      );
    }
    return value;
  }

  private integer(key: string): string {
    const value = this.value(key);
    if (!isInteger(value)) {
      throw unparsable(
        `values[0][${key}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    }
    return value;
  }

  private set(key: string): string[] {
    const open = this.next();
    if (open !== '(') throw unexpected(open, "'('");
    const values: string[] = [];
    for (;;) {
      values.push(this.value(key));
      const separator = this.next();
      if (separator === ')') return values;
      if (separator !== ',') throw unexpected(separator, "',' or ')'");
    }
  }

  /** The empty string stands for the end. */
  private peek(): string {
    return this.tokens[this.position] ?? '';
  }

  private next(): string {
    const token = this.peek();
    this.position++;
    return token;
  }
}

function isSymbol(token: string): boolean {
  return SYMBOLS.some((symbol) => symbol === token);
}

function unexpected(found: string, expected: string): ApiError {
  return unparsable(`found '${found}', expected: ${expected}`);
}

function unparsable(detail: string): ApiError {
  return badRequest(`unable to parse requirement: ${detail}`);
}
