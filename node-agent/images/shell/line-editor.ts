/** Line editing at a terminal: cursor keys, emacs keys, history, completion. The terminal is raw while a line is edited. */
import { nextChunk } from '../program-io.ts';
import type { TerminalSession } from '../terminal.ts';

export type LineResult =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'end' };

/** What the word before the cursor could become. */
export type Completer = (line: string) => readonly string[];

const HISTORY_LINES = 500;

/** Escape sequences that terminals send for keys, and the key they mean. */
const KEYS: Readonly<Record<string, string>> = {
  '\x1b[A': 'up',
  '\x1bOA': 'up',
  '\x10': 'up',
  '\x1b[B': 'down',
  '\x1bOB': 'down',
  '\x0e': 'down',
  '\x1b[C': 'right',
  '\x1bOC': 'right',
  '\x06': 'right',
  '\x1b[D': 'left',
  '\x1bOD': 'left',
  '\x02': 'left',
  '\x1b[H': 'home',
  '\x1b[1~': 'home',
  '\x1bOH': 'home',
  '\x01': 'home',
  '\x1b[F': 'end',
  '\x1b[4~': 'end',
  '\x1bOF': 'end',
  '\x05': 'end',
  '\x1b[3~': 'delete',
  '\x7f': 'erase',
  '\b': 'erase',
  '\x0b': 'cut-end',
  '\x15': 'cut-start',
  '\x17': 'cut-word',
  '\x0c': 'clear',
  '\t': 'complete',
  '\r': 'enter',
  '\n': 'enter',
  '\x03': 'interrupt',
  '\x04': 'end-of-file',
};

export class LineEditor {
  private readonly terminal: TerminalSession;
  private readonly complete: Completer;
  private readonly history: string[] = [];
  /** Typed bytes that were not yet used: they may hold several lines. */
  private typed = '';
  private prompt = '';
  private line: string[] = [];
  private cursor = 0;
  private historyIndex = 0;
  private draft = '';

  constructor(terminal: TerminalSession, complete: Completer) {
    this.terminal = terminal;
    this.complete = complete;
  }

  async read(prompt: string): Promise<LineResult> {
    this.prompt = prompt;
    this.line = [];
    this.cursor = 0;
    this.historyIndex = this.history.length;
    this.terminal.raw = true;
    this.terminal.output.write(prompt);
    try {
      return await this.edit();
    } finally {
      this.terminal.raw = false;
    }
  }

  private async edit(): Promise<LineResult> {
    for (;;) {
      while (this.typed !== '') {
        const result = this.press(this.takeKey());
        if (result !== undefined) return result;
      }
      const chunk = await nextChunk(this.terminal.input());
      if (chunk === undefined) return { kind: 'end' };
      this.typed += chunk.toString('utf8');
    }
  }

  private takeKey(): string {
    const first = String.fromCodePoint(this.typed.codePointAt(0) ?? 0);
    const rest = first === '\x1b' ? (/^(?:\[[0-9;]*[A-Za-z~]|O[A-Z]|.)?/.exec(this.typed.slice(1))?.[0] ?? '') : '';
    this.typed = this.typed.slice(first.length + rest.length);
    return first + rest;
  }

  private press(sequence: string): LineResult | undefined {
    switch (KEYS[sequence]) {
      case 'enter':
        return this.enter();
      case 'interrupt':
        this.terminal.output.write('^C\r\n');
        return { kind: 'interrupt' };
      case 'end-of-file':
        if (this.line.length === 0) return { kind: 'end' };
        this.line.splice(this.cursor, 1);
        break;
      case 'up':
        this.recall(this.historyIndex - 1);
        break;
      case 'down':
        this.recall(this.historyIndex + 1);
        break;
      case 'left':
        this.cursor = Math.max(0, this.cursor - 1);
        break;
      case 'right':
        this.cursor = Math.min(this.line.length, this.cursor + 1);
        break;
      case 'home':
        this.cursor = 0;
        break;
      case 'end':
        this.cursor = this.line.length;
        break;
      case 'delete':
        this.line.splice(this.cursor, 1);
        break;
      case 'erase':
        if (this.cursor > 0) this.line.splice(--this.cursor, 1);
        break;
      case 'cut-end':
        this.line.splice(this.cursor);
        break;
      case 'cut-start':
        this.line.splice(0, this.cursor);
        this.cursor = 0;
        break;
      case 'cut-word':
        this.cutWord();
        break;
      case 'clear':
        this.terminal.output.write('\x1b[H\x1b[2J');
        break;
      case 'complete':
        this.completeWord();
        break;
      default:
        return this.insert(sequence);
    }
    this.redraw();
    return undefined;
  }

  private insert(text: string): undefined {
    if (text < ' ') return;
    this.line.splice(this.cursor, 0, text);
    this.cursor += 1;
    // At the end of the line the character alone does, which is what pasted text mostly is.
    if (this.cursor === this.line.length) this.terminal.output.write(text);
    else this.redraw();
  }

  private enter(): LineResult {
    this.terminal.output.write('\r\n');
    const text = this.line.join('');
    if (text.trim() !== '' && text !== this.history.at(-1)) this.history.push(text);
    if (this.history.length > HISTORY_LINES) this.history.shift();
    return { kind: 'line', text };
  }

  private recall(index: number): void {
    if (index < 0 || index > this.history.length) return;
    if (this.historyIndex === this.history.length) this.draft = this.line.join('');
    this.historyIndex = index;
    this.line = [...(this.history[index] ?? this.draft)];
    this.cursor = this.line.length;
  }

  private cutWord(): void {
    let start = this.cursor;
    while (start > 0 && this.line[start - 1] === ' ') start -= 1;
    while (start > 0 && this.line[start - 1] !== ' ') start -= 1;
    this.line.splice(start, this.cursor - start);
    this.cursor = start;
  }

  private completeWord(): void {
    const before = this.line.slice(0, this.cursor).join('');
    const word = /\S*$/.exec(before)?.[0] ?? '';
    const candidates = this.complete(before);
    const [only] = candidates;
    if (only === undefined) return;
    const addition = candidates.length === 1 ? `${only}${only.endsWith('/') ? '' : ' '}` : commonPrefix(candidates);
    if (addition.length <= word.length && candidates.length > 1) {
      this.terminal.output.write(`\r\n${candidates.join('  ')}\r\n`);
      return;
    }
    this.line.splice(this.cursor - word.length, word.length, ...addition);
    this.cursor += addition.length - word.length;
  }

  private redraw(): void {
    const back = this.line.length - this.cursor;
    this.terminal.output.write(`\r${this.prompt}${this.line.join('')}\x1b[K${back > 0 ? `\x1b[${back}D` : ''}`);
  }
}

function commonPrefix(texts: readonly string[]): string {
  const [first = '', ...rest] = texts;
  let length = first.length;
  for (const text of rest) while (!text.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, length);
}
