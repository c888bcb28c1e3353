/** Source text to a syntax tree, by the parser that is kept elsewhere (`unbash`); what it tolerates is an error here. */
import { forEachChild, type ParsedScript, parse, type SyntaxNode } from 'unbash';
import { ShellError } from './flow.ts';

/** Throws `ShellError` with a shell's words for the first error. */
export function parseScript(source: string): ParsedScript {
  const script = parse(source);
  const error = script.errors?.[0];
  if (error !== undefined) throw new ShellError(`syntax error: ${error.message}`);
  return script;
}

/** More lines are needed before the text is a whole command: an open quote, `do` without `done`, `&&` at the end. */
export function isIncomplete(source: string): boolean {
  if (/(^|[^\\])(\\\\)*\\\n?$/.test(source)) return true;
  const script = parse(source);
  const end = source.trimEnd().length;
  const errors = script.errors ?? [];
  if (errors.length > 0) return errors.every((error) => error.message.startsWith('unterminated') || error.pos >= end);
  return hasOpenHereDocument(script);
}

function hasOpenHereDocument(node: SyntaxNode): boolean {
  if (node.type === 'HereDoc' && node.closing === undefined) return true;
  let open = false;
  forEachChild(node, (child) => {
    open ||= hasOpenHereDocument(child);
  });
  return open;
}
