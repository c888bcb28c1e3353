/** The verbs of an `ip` command, any beginning of which stands for them. */
import { type IpError, usageError } from './ip-error.ts';

/** Which is what no verb means too. */
export function isListing(verb: string | undefined): boolean {
  return verb === undefined || 'show'.startsWith(verb) || 'list'.startsWith(verb) || verb === 'lst' || verb === 'ls';
}

export function verbOf<Verb extends string>(verbs: readonly Verb[], word: string | undefined): Verb | undefined {
  return word === undefined ? undefined : verbs.find((verb) => verb.startsWith(word));
}

export function unknownVerb(object: string, verb: string): IpError {
  return usageError(`Command "${verb}" is unknown, try "ip ${object} help".`);
}
