/** Brace expansion as bash has it (`{a,b}`, `{1..3}`); POSIX shells leave braces alone. */
import { parse, type Word } from 'unbash';

/** The words that a word with braces stands for; the word itself when it has none. */
export function expandBraces(word: Word): readonly Word[] {
  if (!word.parts?.some((part) => part.type === 'BraceExpansion')) return [word];
  const texts = expandText(word.text);
  const [statement] = parse(`: ${texts.join(' ')}`).commands;
  if (statement?.command.type !== 'Command') return [word];
  return statement.command.args.filter((argument) => argument.type === 'Word');
}

function expandText(text: string): string[] {
  const brace = findBrace(text);
  if (brace === undefined) return [text];
  const before = text.slice(0, brace.start);
  const tails = expandText(text.slice(brace.end + 1));
  return brace.choices.flatMap((choice) =>
    expandText(choice).flatMap((middle) => tails.map((tail) => before + middle + tail)),
  );
}

function findBrace(text: string): { start: number; end: number; choices: string[] } | undefined {
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', start + 1)) {
    const end = closing(text, start);
    if (end === undefined) continue;
    const inner = text.slice(start + 1, end);
    const choices = sequence(inner) ?? alternatives(inner);
    if (choices !== undefined) return { start, end, choices };
  }
  return undefined;
}

function closing(text: string, start: number): number | undefined {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    const character = text.charAt(index);
    if (character === '\\') index += 1;
    else if (character === '{') depth += 1;
    else if (character === '}' && --depth === 0) return index;
  }
  return undefined;
}

function alternatives(inner: string): string[] | undefined {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < inner.length; index++) {
    const character = inner.charAt(index);
    if (character === '\\') index += 1;
    else if (character === '{') depth += 1;
    else if (character === '}') depth -= 1;
    else if (character === ',' && depth === 0) {
      parts.push(inner.slice(start, index));
      start = index + 1;
    }
  }
  parts.push(inner.slice(start));
  return parts.length > 1 ? parts : undefined;
}

const SEQUENCE_LIMIT = 100_000;

function sequence(inner: string): string[] | undefined {
  const match = /^(-?\d+|[A-Za-z])\.\.(-?\d+|[A-Za-z])(?:\.\.(-?\d+))?$/.exec(inner);
  const [, from, to] = match ?? [];
  if (match === null || from === undefined || to === undefined) return undefined;
  const letters = /[A-Za-z]/.test(from);
  if (letters !== /[A-Za-z]/.test(to)) return undefined;
  const first = letters ? from.charCodeAt(0) : Number(from);
  const last = letters ? to.charCodeAt(0) : Number(to);
  const step = Math.abs(Number(match[3] ?? 1)) || 1;
  const width = /^-?0\d/.test(from) || /^-?0\d/.test(to) ? Math.max(from.length, to.length) : 0;
  const items: string[] = [];
  for (let value = first; first <= last ? value <= last : value >= last; value += first <= last ? step : -step) {
    if (items.length >= SEQUENCE_LIMIT) return undefined;
    items.push(letters ? String.fromCharCode(value) : String(value).padStart(width, '0'));
  }
  return items;
}
