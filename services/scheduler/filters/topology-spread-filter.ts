/** Hard topology spread: no domain may exceed the emptiest by more than `maxSkew`. */
import { spreadCounts } from '../topology-spread.ts';
import { FITS, type Filter, never, notNow } from './filter.ts';

export const topologySpread: Filter = (placement) => {
  const hard = (placement.pod.spec.topologySpreadConstraints ?? [])
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable === 'DoNotSchedule')
    .map((constraint) => spreadCounts(constraint, placement));
  return ({ node }) => {
    for (const { constraint, byDomain, minimum, self } of hard) {
      const value = node.metadata.labels?.[constraint.topologyKey];
      if (value === undefined) {
        return never("node(s) didn't match pod topology spread constraints (missing required label)");
      }
      if ((byDomain.get(value) ?? 0) + self - minimum > constraint.maxSkew) {
        return notNow("node(s) didn't match pod topology spread constraints");
      }
    }
    return FITS;
  };
};
