/** `podwire up --cni aws-vpc --set env.NAME=VALUE`: values of the chart of the Amazon VPC CNI: what aws-node is told. */
import { WARM_TARGET_NAMES, type WarmTargetName } from '../shared/runtime/cni-plugins.ts';
import { UserError } from './user-error.ts';

/** Throws UserError for a name or a value that means nothing here. */
export function awsVpcValues(assignments: readonly string[]): Readonly<Partial<Record<WarmTargetName, string>>> {
  return Object.fromEntries(assignments.map(parsed));
}

function parsed(assignment: string): readonly [WarmTargetName, string] {
  const [path = '', value = ''] = assignment.split(/=(.*)/s);
  const name = WARM_TARGET_NAMES.find((known) => path === `env.${known}`);
  if (name === undefined) {
    const known = WARM_TARGET_NAMES.map((each) => `env.${each}`).join(', ');
    throw new UserError(`--set ${assignment}: of aws-vpc's values there are ${known} here`);
  }
  if (!/^\d{1,4}$/.test(value)) throw new UserError(`--set ${assignment}: ${path} must be a whole number`);
  return [name, value];
}
