/** What the command lines of iputils' programs have in common: those of `ping`, `tracepath`, `arping`. */
import { type OptionSpec, type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { getoptSentence } from '../getopt-sentence.ts';

/** What ends a program: what to print after its name, if anything, and below it, and the exit code. */
export class IputilsError extends Error {
  override readonly name = 'IputilsError';
  readonly exitCode: number;
  readonly usage: string;

  constructor(message: string, exitCode = 2, usage = '') {
    super(message);
    this.exitCode = exitCode;
    this.usage = usage;
  }
}

/** Prints what an error says; the exit code. */
export async function tellError(run: Invocation, { message, usage, exitCode }: IputilsError): Promise<number> {
  if (message !== '') await run.complain(message);
  await write(run.context.stderr, usage);
  return exitCode;
}

/** Throws `IputilsError`, with the usage for one that is not there. */
export function readOptions(args: readonly string[], spec: OptionSpec, usage: string, exitCode = 2): ParsedOptions {
  try {
    return parseOptions(args, spec);
  } catch (error) {
    if (error instanceof UsageError) throw new IputilsError(getoptSentence(error), exitCode, usage);
    throw error;
  }
}

/** The value of an option; undefined when it was not given. Throws `IputilsError`. */
export function wholeNumber(options: ParsedOptions, letter: string, least: number, most: number): number | undefined {
  const text = options.value(letter);
  if (text === undefined) return undefined;
  if (!/^[-+]?\d+$/.test(text)) throw new IputilsError(`invalid argument: '${text}'`, 1);
  const value = Number(text);
  if (value < least || value > most) {
    // The C program's own bound, which a double cannot hold.
    const bound = most === Number.MAX_SAFE_INTEGER ? '9223372036854775807' : String(most);
    throw new IputilsError(`invalid argument: '${text}': out of range: ${least} <= value <= ${bound}`, 1);
  }
  return value;
}
