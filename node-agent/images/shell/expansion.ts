/** Word expansion (POSIX 2.6): tilde, parameters, commands, arithmetic; then fields, pathnames and quote removal. */
import type { Assignment, HereDoc, ParsedScript, Word, WordPart } from 'unbash';
import { evaluateArithmetic } from './arithmetic.ts';
import { expandBraces } from './brace.ts';
import { type ExpansionSink, FieldCollector, type Piece, TextCollector } from './fields.ts';
import { ShellError } from './flow.ts';
import { expandParameter, expandSimple } from './parameter.ts';
import { expandPathname } from './pathname.ts';
import { escapePattern, hasPatternCharacters } from './pattern.ts';
import type { Shell } from './shell.ts';
import { substituteCommand } from './substitution.ts';

/** Whether text of the word itself is split (an operand of an unquoted `${x:-a b}`), kept, or inside double quotes. */
export type ExpansionMode = 'word' | 'operand' | 'quoted';

/** Arguments of a command: each word becomes none, one or more fields. */
export async function expandWords(shell: Shell, words: readonly (Word | Assignment)[]): Promise<string[]> {
  const fields: string[] = [];
  for (const word of words) {
    if (word.type === 'Assignment') fields.push(await expandAssignmentArgument(shell, word));
    else
      for (const braced of shell.isBash ? expandBraces(word) : [word])
        fields.push(...(await expandWord(shell, braced)));
  }
  return fields;
}

async function expandWord(shell: Shell, word: Word): Promise<string[]> {
  if (word.parts === undefined && !word.text.startsWith('~')) return [word.value];
  const sink = new FieldCollector(shell.variables.has('IFS') ? (shell.get('IFS') ?? '') : undefined);
  await expandInto(shell, word, sink, 'word');
  return sink.done().flatMap((pieces) => pathnames(shell, pieces));
}

function pathnames(shell: Shell, pieces: readonly Piece[]): string[] {
  const text = pieces.map((piece) => piece.text).join('');
  if (shell.options.has('noglob') || !pieces.some((piece) => !piece.quoted && /[*?[]/.test(piece.text))) return [text];
  const pattern = pieces.map((piece) => (piece.quoted ? escapePattern(piece.text) : piece.text)).join('');
  if (!hasPatternCharacters(pattern)) return [text];
  const found = expandPathname(shell.container.files, shell.cwd, pattern);
  return found.length === 0 ? [text] : found;
}

/** `export A=~/x`, `local B=$c`: the value is not split. */
async function expandAssignmentArgument(shell: Shell, assignment: Assignment): Promise<string> {
  return `${assignment.name}${assignment.append ? '+' : ''}=${await expandAssignment(shell, assignment)}`;
}

/** The value of `NAME=value`; tildes count after every colon. */
export async function expandAssignment(shell: Shell, assignment: Assignment): Promise<string> {
  const { value } = assignment;
  if (value.type === 'ArrayValue') throw new ShellError(`${assignment.name}: arrays are not supported`);
  const sink = new TextCollector();
  await expandInto(shell, value, sink, 'word', true);
  return sink.text;
}

/** The text of a word where nothing is split: redirection targets, `case` words. */
export async function expandText(shell: Shell, word: Word, mode: ExpansionMode = 'word'): Promise<string> {
  const sink = new TextCollector();
  await expandInto(shell, word, sink, mode);
  return sink.text;
}

/** A pattern in which what was quoted stands for itself. */
export async function expandPattern(shell: Shell, word: Word): Promise<string> {
  const sink = new TextCollector(escapePattern);
  await expandInto(shell, word, sink, 'word');
  return sink.text;
}

/** The body of a here-document. */
export async function expandHereDocument(shell: Shell, document: HereDoc): Promise<string> {
  const { body, delimiter, operator } = document;
  const sink = new TextCollector();
  if (delimiter?.quoted || body.parts === undefined) sink.quoted(body.text);
  else for (const part of body.parts) await expandPart(shell, part, sink, 'quoted');
  return operator === '<<-' ? sink.text.replace(/^\t+/gm, '') : sink.text;
}

export async function expandInto(
  shell: Shell,
  word: Word,
  sink: ExpansionSink,
  mode: ExpansionMode,
  isAssignment = false,
): Promise<void> {
  if (word.parts === undefined) {
    const text = mode === 'quoted' ? word.value : expandTilde(shell, word.text, word.value, isAssignment);
    emit(sink, text, mode === 'operand' && word.text === word.value ? 'operand' : mode);
    return;
  }
  for (const [index, part] of word.parts.entries()) {
    const tilde = part.type === 'Literal' && mode !== 'quoted' && (index === 0 || isAssignment);
    if (tilde) emit(sink, expandTilde(shell, part.text, part.value, isAssignment, index > 0), mode);
    else await expandPart(shell, part, sink, mode);
  }
}

async function expandPart(shell: Shell, part: WordPart, sink: ExpansionSink, mode: ExpansionMode): Promise<void> {
  switch (part.type) {
    case 'Literal':
      emit(sink, part.value, mode === 'operand' && part.text !== part.value ? 'word' : mode);
      return;
    case 'Glob':
      if (mode === 'quoted') sink.quoted(part.text);
      else if (part.kind === 'bracket') await expandBracket(shell, part.parts, sink);
      else sink.pattern(part.text);
      return;
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      sink.ensureField();
      sink.quoted(mode === 'quoted' && part.type === 'SingleQuoted' ? part.text : part.value);
      return;
    case 'DoubleQuoted':
    case 'LocaleString':
      if (!isOnlyAllParameters(part.parts)) sink.ensureField();
      for (const child of part.parts) await expandPart(shell, child, sink, 'quoted');
      return;
    case 'SimpleExpansion':
      expandSimple(shell, part.text.slice(1), sink, mode);
      return;
    case 'ParameterExpansion':
      await expandParameter(shell, part, sink, mode);
      return;
    case 'CommandExpansion':
      emitResult(sink, await commandOutput(shell, part.script), mode);
      return;
    case 'ArithmeticExpansion':
      emitResult(sink, String(await evaluateArithmetic(shell, part.expression)), mode);
      return;
    case 'BraceExpansion':
    case 'ExtendedGlob':
      emit(sink, part.text, mode);
      return;
    case 'ProcessSubstitution':
      throw new ShellError('syntax error: process substitution is not supported');
  }
}

async function commandOutput(shell: Shell, script: ParsedScript | undefined): Promise<string> {
  if (script === undefined) return '';
  const error = script.errors?.[0];
  if (error !== undefined) throw new ShellError(`syntax error: ${error.message}`);
  return substituteCommand(shell, script);
}

async function expandBracket(shell: Shell, parts: readonly WordPart[], sink: ExpansionSink): Promise<void> {
  const inner = new TextCollector((text) => text.replace(/[\]\\^!-]/g, '\\$&'));
  for (const part of parts) {
    if (part.type === 'Literal') inner.pattern(part.text);
    else await expandPart(shell, part, inner, part.type === 'SimpleExpansion' ? 'word' : 'quoted');
  }
  sink.pattern(`[${inner.text}]`);
}

/** `"$@"` without parameters is no field at all. */
function isOnlyAllParameters(parts: readonly WordPart[]): boolean {
  const [only, second] = parts;
  if (only === undefined || second !== undefined) return false;
  return (
    (only.type === 'SimpleExpansion' && only.text === '$@') ||
    (only.type === 'ParameterExpansion' && only.parameter === '@')
  );
}

function emit(sink: ExpansionSink, text: string, mode: ExpansionMode): void {
  if (mode === 'quoted') sink.quoted(text);
  else if (mode === 'operand') sink.split(text);
  else sink.literal(text);
}

/** What an expansion gave: split unless it was quoted. */
export function emitResult(sink: ExpansionSink, text: string, mode: ExpansionMode): void {
  if (mode === 'quoted') sink.quoted(text);
  else sink.split(text);
}

/** `~`, `~/x`, `~user`; in assignments also after a colon. Escaped tildes have different source text and stay. */
function expandTilde(shell: Shell, source: string, value: string, isAssignment: boolean, inner = false): string {
  if (!source.includes('~') || source !== value) return value;
  const home = (text: string): string => {
    if (text !== '~' && !text.startsWith('~/') && text !== '~root' && !text.startsWith('~root/')) return text;
    const start = shell.get('HOME') ?? '/root';
    return (text.startsWith('~root') ? '/root' : start) + text.replace(/^~(root)?/, '');
  };
  if (!isAssignment) return home(value);
  return value
    .split(':')
    .map((part, index) => (inner && index === 0 ? part : home(part)))
    .join(':');
}
