/** Collects what a word expands to: pieces that came from quotes or not, cut into fields at IFS (POSIX 2.6.5). */

export interface Piece {
  readonly text: string;
  /** Quoted text keeps its spaces and its pattern characters stand for themselves. */
  readonly quoted: boolean;
}

export interface ExpansionSink {
  /** Unquoted text of the word itself: not split. */
  literal(text: string): void;
  quoted(text: string): void;
  /** Unquoted pattern characters. */
  pattern(text: string): void;
  /** The result of an unquoted expansion. */
  split(text: string): void;
  /** The next parameter of `$@` starts. */
  nextField(): void;
  /** A pair of quotes: there is a field, even an empty one. */
  ensureField(): void;
}

const DEFAULT_IFS = ' \t\n';

export class FieldCollector implements ExpansionSink {
  readonly fields: Piece[][] = [];
  private current: Piece[] | undefined;
  private readonly whitespace: string;
  private readonly separators: string;
  /** A field was just ended by white space: one more separator belongs to the same cut. */
  private endedByWhitespace = false;

  constructor(ifs: string | undefined) {
    const characters = ifs ?? DEFAULT_IFS;
    this.whitespace = [...characters].filter((character) => DEFAULT_IFS.includes(character)).join('');
    this.separators = [...characters].filter((character) => !DEFAULT_IFS.includes(character)).join('');
  }

  literal(text: string): void {
    this.add(text, true);
  }

  quoted(text: string): void {
    this.add(text, true);
  }

  pattern(text: string): void {
    this.add(text, false);
  }

  split(text: string): void {
    let start = 0;
    for (let index = 0; index < text.length; index++) {
      const character = text.charAt(index);
      const isWhitespace = this.whitespace.includes(character);
      if (!isWhitespace && !this.separators.includes(character)) continue;
      if (index > start) this.add(text.slice(start, index), false);
      start = index + 1;
      if (isWhitespace) this.endAtWhitespace();
      else this.endAtSeparator();
    }
    if (start < text.length) this.add(text.slice(start), false);
  }

  nextField(): void {
    this.finish();
    this.endedByWhitespace = false;
  }

  ensureField(): void {
    this.current ??= [];
    this.endedByWhitespace = false;
  }

  /** All fields of the word. */
  done(): Piece[][] {
    this.finish();
    return this.fields;
  }

  private add(text: string, quoted: boolean): void {
    this.current ??= [];
    this.current.push({ text, quoted });
    this.endedByWhitespace = false;
  }

  private endAtWhitespace(): void {
    if (this.current === undefined) return;
    this.finish();
    this.endedByWhitespace = true;
  }

  private endAtSeparator(): void {
    if (this.current !== undefined) this.finish();
    else if (!this.endedByWhitespace) this.fields.push([]);
    this.endedByWhitespace = false;
  }

  private finish(): void {
    if (this.current !== undefined) this.fields.push(this.current);
    this.current = undefined;
  }
}

/** The one text that a word expands to where neither splitting nor pathnames apply: assignments, redirections, `case`. */
export class TextCollector implements ExpansionSink {
  text = '';
  private readonly asPattern: (text: string) => string;

  /** `asPattern` is applied to what is quoted: for patterns. */
  constructor(asPattern: (text: string) => string = (text) => text) {
    this.asPattern = asPattern;
  }

  literal(text: string): void {
    this.text += this.asPattern(text);
  }

  quoted(text: string): void {
    this.text += this.asPattern(text);
  }

  pattern(text: string): void {
    this.text += text;
  }

  split(text: string): void {
    this.text += text;
  }

  nextField(): void {
    this.text += ' ';
  }

  ensureField(): void {
    this.text += '';
  }
}
