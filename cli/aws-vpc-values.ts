/** `podwire up --cni aws-vpc --set env.NAME=VALUE`: values of the chart of the Amazon VPC CNI: what aws-node is told. */
import { WARM_TARGET_NAMES, type WarmTargetName } from '../shared/runtime/cni-plugins.ts';
import { environmentValues } from './environment-values.ts';
import { UserError } from './user-error.ts';

/** Throws UserError for a name or a value that means nothing here. */
export function awsVpcValues(assignments: readonly string[]): Readonly<Partial<Record<WarmTargetName, string>>> {
  const values = environmentValues('aws-vpc', WARM_TARGET_NAMES, assignments);
  for (const [name, value] of Object.entries(values)) {
    if (!/^\d{1,4}$/.test(value)) throw new UserError(`--set env.${name}=${value}: env.${name} must be a whole number`);
  }
  return values;
}
