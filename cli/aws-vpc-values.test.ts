import { expect, it } from 'vitest';
import { awsVpcValues } from './aws-vpc-values.ts';

it('are the environment of aws-node', () => {
  expect(awsVpcValues(['env.WARM_IP_TARGET=5', 'env.MINIMUM_IP_TARGET=10'])).toEqual({
    WARM_IP_TARGET: '5',
    MINIMUM_IP_TARGET: '10',
  });
});

it.each([
  ['WARM_IP_TARGET=5', "of aws-vpc's values there are env.WARM_ENI_TARGET, env.WARM_IP_TARGET"],
  ['env.WARM_IP_TARGET=many', 'env.WARM_IP_TARGET must be a whole number'],
])('%s is refused', (assignment, message) => {
  expect(() => awsVpcValues([assignment])).toThrow(message);
});
