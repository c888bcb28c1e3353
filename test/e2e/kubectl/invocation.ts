/** One kubectl invocation of a table: what is typed, and what a user of the original would see. */

export interface Invocation {
  /** Arguments as in a shell: split at blanks, single quotes hold together. `$VERSION` and the like stay as they are. */
  readonly command: string;
  /** Standard input. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** 0 by default; several where kubectl itself does not end alike each time. */
  readonly code?: number | readonly number[];
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
  /** Repeated until it is as wanted, for what a controller or a node does in its own time. */
  readonly eventually?: boolean;
  /** Goes on by itself: is ended once its output has all of this. */
  readonly endless?: Endless;
}

export interface Endless {
  /** Of the output and the error output, in any order. */
  readonly seen: readonly RegExp[];
  /** Invoked as soon as the first of `seen` is there. */
  readonly meanwhile?: string;
  /** Fetched as soon as the first of `seen` is there; its groups fill `$1`. */
  readonly fetch?: { readonly url: string; readonly body: RegExp };
}

/** A part of the table, with the first column for the test's name. */
export interface Chapter {
  readonly title: string;
  readonly rows: readonly Invocation[];
}

/** `get pods -l 'app in (a,b)'` is four words. */
export function wordsOf(command: string): string[] {
  return [...command.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''));
}

/** What differs from the wanted; empty when all is well. */
export function differences(
  { code = 0, stdout, stderr }: Invocation,
  result: { readonly code: number; readonly stdout: string; readonly stderr: string },
): string[] {
  const wrong: string[] = [];
  if (![code].flat().includes(result.code)) wrong.push(`exit code ${result.code} instead of ${code}`);
  if (stdout !== undefined && !stdout.test(result.stdout)) wrong.push(`the output does not match ${stdout}`);
  if (stderr !== undefined && !stderr.test(result.stderr)) wrong.push(`the error output does not match ${stderr}`);
  return wrong;
}
