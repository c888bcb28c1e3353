/** What the C library's getopt says of a wrong option; the parser's own words are busybox'. */
import type { UsageError } from '../coreutils/options.ts';

/** `invalid option -- 'Z'`, `option requires an argument -- 'c'`. */
export function getoptSentence(error: UsageError): string {
  const unknown = /^unrecognized option: (.)$/.exec(error.message);
  if (unknown !== null) return `invalid option -- '${unknown[1]}'`;
  const missing = /^option requires an argument: (.)$/.exec(error.message);
  return missing === null ? error.message : `option requires an argument -- '${missing[1]}'`;
}
