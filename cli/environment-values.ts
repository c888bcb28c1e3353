/** `podwire up --set env.NAME=VALUE`: what a network's daemon is told by its environment, as its chart names it. */
import { UserError } from './user-error.ts';

/**
 * By name; an empty value is none. `plugin` is whose values these are, in messages.
 *
 * Throws UserError for another name, without its value: that may be a password.
 */
export function environmentValues<Name extends string>(
  plugin: string,
  names: readonly Name[],
  assignments: readonly string[],
): Readonly<Partial<Record<Name, string>>> {
  const values: Partial<Record<Name, string>> = {};
  for (const assignment of assignments) {
    const [path = '', value = ''] = assignment.split(/=(.*)/s);
    const name = names.find((known) => path === `env.${known}`);
    if (name === undefined) {
      const known = names.map((each) => `env.${each}`).join(', ');
      throw new UserError(`--set ${path}: of ${plugin}'s values there are ${known} here`);
    }
    values[name] = value;
  }
  return values;
}
