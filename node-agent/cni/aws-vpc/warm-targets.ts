/** The environment of aws-node that says how many addresses are kept at hand, by the original's names. */
import type { WarmTargetName } from '../../../shared/runtime/cni-plugins.ts';

export interface WarmTargets {
  /** WARM_ENI_TARGET: interfaces' worth of free addresses; counts where neither of the next two is said. */
  readonly interfaces: number;
  /** WARM_IP_TARGET: free addresses. */
  readonly addresses: number | undefined;
  /** MINIMUM_IP_TARGET: addresses in all. */
  readonly minimum: number | undefined;
  /** MAX_ENI: fewer interfaces than the instance takes. */
  readonly mostInterfaces: number | undefined;
}

/** 0 of the last three is as if they were not said, as in the original. Throws RangeError that names the variable. */
export function warmTargets(environment: Readonly<Record<string, string | undefined>>): WarmTargets {
  const number = (name: WarmTargetName): number | undefined => {
    const text = environment[name];
    if (text === undefined || text === '') return undefined;
    if (!/^\d{1,4}$/.test(text)) throw new RangeError(`${name}=${text}: expected a whole number`);
    return Number(text);
  };
  return {
    interfaces: number('WARM_ENI_TARGET') ?? 1,
    addresses: number('WARM_IP_TARGET') || undefined,
    minimum: number('MINIMUM_IP_TARGET') || undefined,
    mostInterfaces: number('MAX_ENI') || undefined,
  };
}
