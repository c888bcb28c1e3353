/** Parameters (POSIX 2.5) and every `${...}` form (2.6.2, and bash's slices, replacements and letter case). */
import type { ParameterExpansionPart, ParameterOperation } from 'unbash';
import { evaluateArithmeticText } from './arithmetic.ts';
import { type ExpansionMode, emitResult, expandInto, expandPattern, expandText } from './expansion.ts';
import type { ExpansionSink } from './fields.ts';
import { ShellError } from './flow.ts';
import { patternToRegExp } from './pattern.ts';
import { OPTION_NAMES, type Shell } from './shell.ts';

/** `$name`, `$1`, `$@`, `$?`. */
export function expandSimple(shell: Shell, name: string, sink: ExpansionSink, mode: ExpansionMode): void {
  if (name === '@' || name === '*') emitList(shell, shell.positional, name, sink, mode);
  else emitResult(sink, requireValue(shell, name), mode);
}

export async function expandParameter(
  shell: Shell,
  part: ParameterExpansionPart,
  sink: ExpansionSink,
  mode: ExpansionMode,
): Promise<void> {
  const { operation, prefix } = part;
  if (part.index !== undefined) throw new ShellError(`${part.text}: arrays are not supported`);
  if (part.parameter === '') throw new ShellError(`${part.text}: bad substitution`);
  const name = prefix === '!' ? (parameterValue(shell, part.parameter) ?? '') : part.parameter;
  if (prefix === '#') {
    emitResult(sink, String(lengthOf(shell, name)), mode);
    return;
  }
  const isList = name === '@' || name === '*';
  if (operation === undefined) {
    expandSimple(shell, name, sink, mode);
    return;
  }
  if (operation.type === 'Default') {
    await expandDefault(shell, name, operation, sink, mode);
    return;
  }
  if (isList && operation.type === 'Slice') {
    emitList(shell, await slicePositional(shell, operation), name, sink, mode);
    return;
  }
  const values = isList ? shell.positional : [requireValue(shell, name)];
  const changed: string[] = [];
  for (const value of values) changed.push(await applyOperation(shell, value, operation, part.text));
  if (isList) emitList(shell, changed, name, sink, mode);
  else emitResult(sink, changed[0] ?? '', mode);
}

/** The value of a parameter; undefined when it is unset. */
export function parameterValue(shell: Shell, name: string): string | undefined {
  switch (name) {
    case '?':
      return String(shell.lastStatus);
    case '$':
      return String(shell.shellPid);
    case '!':
      return shell.lastBackgroundPid === undefined ? undefined : String(shell.lastBackgroundPid);
    case '#':
      return String(shell.positional.length);
    case '-':
      return optionLetters(shell);
    case '@':
    case '*':
      return shell.positional.length === 0 ? undefined : shell.positional.join(' ');
    case 'PPID':
      return String(shell.process.parentPid);
    case 'RANDOM':
      return shell.get(name) ?? String(Math.floor(Math.random() * 32_768));
    case 'SECONDS':
      return shell.get(name) ?? String(Math.floor((Date.now() - shell.process.startedAtMs) / 1000));
    case 'LINENO':
      return shell.get(name) ?? '1';
    case 'PWD':
      return shell.get(name) ?? shell.cwd;
    default:
      if (!/^\d+$/.test(name)) return shell.get(name);
      return name === '0' ? shell.name : shell.positional[Number(name) - 1];
  }
}

function requireValue(shell: Shell, name: string): string {
  const value = parameterValue(shell, name);
  if (value === undefined && shell.options.has('nounset') && name !== '@' && name !== '*') {
    throw new ShellError(
      shell.isBash ? `${name}: unbound variable` : `${name}: parameter not set`,
      shell.isBash ? 1 : 2,
    );
  }
  return value ?? '';
}

function optionLetters(shell: Shell): string {
  const letters = Object.entries(OPTION_NAMES).filter(([, option]) => shell.options.has(option));
  return letters.map(([letter]) => letter).join('') + (shell.interactive ? 'i' : '');
}

function emitList(
  shell: Shell,
  values: readonly string[],
  name: string,
  sink: ExpansionSink,
  mode: ExpansionMode,
): void {
  if (mode === 'quoted' && name === '*') {
    const ifs = shell.variables.has('IFS') ? (shell.get('IFS') ?? '') : ' ';
    sink.quoted(values.join(ifs.charAt(0)));
    return;
  }
  for (const [index, value] of values.entries()) {
    if (index > 0) sink.nextField();
    if (mode === 'quoted') {
      sink.ensureField();
      sink.quoted(value);
    } else sink.split(value);
  }
}

function lengthOf(shell: Shell, name: string): number {
  if (name === '@' || name === '*') return shell.positional.length;
  return [...requireValue(shell, name)].length;
}

type DefaultOperation = Extract<ParameterOperation, { type: 'Default' }>;

async function expandDefault(
  shell: Shell,
  name: string,
  operation: DefaultOperation,
  sink: ExpansionSink,
  mode: ExpansionMode,
): Promise<void> {
  const value = parameterValue(shell, name);
  const absent = value === undefined || (operation.operator.startsWith(':') && value === '');
  const operandMode = mode === 'quoted' ? 'quoted' : 'operand';
  switch (operation.operator.at(-1)) {
    case '-':
      if (absent) await expandInto(shell, operation.operand, sink, operandMode);
      else expandSimple(shell, name, sink, mode);
      return;
    case '+':
      if (!absent) await expandInto(shell, operation.operand, sink, operandMode);
      return;
    case '=':
      if (absent) {
        if (!/^[A-Za-z_]\w*$/.test(name)) throw new ShellError(`${name}: bad variable name`);
        shell.set(name, await expandText(shell, operation.operand, mode === 'quoted' ? 'quoted' : 'word'));
      }
      expandSimple(shell, name, sink, mode);
      return;
    default: {
      if (!absent) {
        expandSimple(shell, name, sink, mode);
        return;
      }
      const message = await expandText(shell, operation.operand);
      throw new ShellError(`${name}: ${message === '' ? 'parameter not set or null' : message}`);
    }
  }
}

async function applyOperation(
  shell: Shell,
  value: string,
  operation: ParameterOperation,
  text: string,
): Promise<string> {
  switch (operation.type) {
    case 'Remove':
      return removePattern(value, operation.operator, await expandPattern(shell, operation.operand));
    case 'Replace': {
      const replacement = await expandText(shell, operation.replacement);
      return replacePattern(value, operation.operator, await expandPattern(shell, operation.pattern), replacement);
    }
    case 'Slice': {
      const offset = await sliceNumber(shell, await expandText(shell, operation.offset));
      const length =
        operation.length === undefined
          ? undefined
          : await sliceNumber(shell, await expandText(shell, operation.length));
      return slice([...value], offset, length).join('');
    }
    case 'CaseModification':
      return changeCase(value, operation.operator);
    default:
      throw new ShellError(`${text}: bad substitution`);
  }
}

function removePattern(value: string, operator: '#' | '##' | '%' | '%%', pattern: string): string {
  const expression = patternToRegExp(pattern);
  const lengths = Array.from({ length: value.length + 1 }, (_, index) => index);
  if (operator === '##' || operator === '%%') lengths.reverse();
  for (const length of lengths) {
    if (operator.startsWith('#')) {
      if (expression.test(value.slice(0, length))) return value.slice(length);
    } else if (expression.test(value.slice(value.length - length))) return value.slice(0, value.length - length);
  }
  return value;
}

function replacePattern(
  value: string,
  operator: '/' | '//' | '/#' | '/%',
  pattern: string,
  replacement: string,
): string {
  if (pattern === '') return value;
  const expression = patternToRegExp(pattern);
  const longestAt = (start: number): number => {
    for (let end = value.length; end > start; end--) if (expression.test(value.slice(start, end))) return end;
    return -1;
  };
  if (operator === '/#') {
    const end = longestAt(0);
    return end < 0 ? value : replacement + value.slice(end);
  }
  if (operator === '/%') {
    for (let start = 0; start <= value.length; start++) {
      if (expression.test(value.slice(start))) return value.slice(0, start) + replacement;
    }
    return value;
  }
  let result = '';
  let index = 0;
  while (index < value.length) {
    const end = longestAt(index);
    if (end < 0) {
      result += value.charAt(index);
      index += 1;
      continue;
    }
    result += replacement;
    index = end;
    if (operator === '/') break;
  }
  return result + value.slice(index);
}

async function sliceNumber(shell: Shell, text: string): Promise<number> {
  return Number(await evaluateArithmeticText(shell, text.trim() === '' ? '0' : text));
}

function slice<T>(items: readonly T[], offset: number, length: number | undefined): T[] {
  const start = offset < 0 ? Math.max(0, items.length + offset) : offset;
  if (length === undefined) return items.slice(start);
  return length < 0 ? items.slice(start, items.length + length) : items.slice(start, start + length);
}

type SliceOperation = Extract<ParameterOperation, { type: 'Slice' }>;

async function slicePositional(shell: Shell, operation: SliceOperation): Promise<string[]> {
  const offset = await sliceNumber(shell, await expandText(shell, operation.offset));
  const length =
    operation.length === undefined ? undefined : await sliceNumber(shell, await expandText(shell, operation.length));
  return slice([shell.name, ...shell.positional], offset, length);
}

function changeCase(value: string, operator: '^' | '^^' | ',' | ',,'): string {
  switch (operator) {
    case '^^':
      return value.toUpperCase();
    case ',,':
      return value.toLowerCase();
    case '^':
      return value.charAt(0).toUpperCase() + value.slice(1);
    case ',':
      return value.charAt(0).toLowerCase() + value.slice(1);
  }
}
