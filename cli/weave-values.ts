/** `podwire up --cni weave --set env.NAME=VALUE`: what weave's router is told by its environment. */
import { UserError } from './user-error.ts';

const NAMES = ['WEAVE_PASSWORD', 'WEAVE_NO_FASTDP'] as const;
type WeaveVariable = (typeof NAMES)[number];

/** Throws UserError for a name that means nothing here. An empty value is none. */
export function weaveValues(assignments: readonly string[]): Readonly<Partial<Record<WeaveVariable, string>>> {
  return Object.fromEntries(assignments.map(parsed));
}

function parsed(assignment: string): readonly [WeaveVariable, string] {
  const [path = '', value = ''] = assignment.split(/=(.*)/s);
  const name = NAMES.find((known) => path === `env.${known}`);
  if (name === undefined) {
    const known = NAMES.map((each) => `env.${each}`).join(', ');
    // The value may be a password.
    throw new UserError(`--set ${path}: of weave's values there are ${known} here`);
  }
  return [name, value];
}
