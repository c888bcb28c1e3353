/** Regular expressions of a Corefile, which are written for Go. */
import { CorefileError, type Directive } from './corefile.ts';

/** Go writes a named group `(?P<name>...)`. Throws CorefileError for what is no pattern. */
export function patternOf(text: string, directive: Directive): RegExp {
  try {
    return new RegExp(text.replaceAll('(?P<', '(?<'), 'i');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new CorefileError(directive, error.message);
  }
}
