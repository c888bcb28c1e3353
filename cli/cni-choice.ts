/** Which pod network a cluster gets: what was asked for, what it had, or the default. */
import { backendsOf, type CniBackend, type CniPluginName, hasIpv6 } from '../shared/runtime/cni-plugins.ts';
import type { IpFamilies } from '../shared/runtime/config.ts';
import { UserError } from './user-error.ts';

export interface CniChoice {
  readonly cni: CniPluginName;
  /** Undefined where the plugin has none. */
  readonly cniBackend: CniBackend | undefined;
}

/** Throws UserError for a backend or a family that the plugin does not have. */
export function chooseCni(
  requested: Partial<CniChoice>,
  saved: CniChoice | undefined,
  ipFamily: IpFamilies,
): CniChoice {
  const cni = requested.cni ?? saved?.cni ?? 'flannel';
  const kept = saved?.cni === cni ? saved.cniBackend : undefined;
  const backends = backendsOf(cni);
  const cniBackend = requested.cniBackend ?? kept ?? backends[0];
  if (cniBackend !== undefined && !backends.includes(cniBackend)) {
    const has = backends.length === 0 ? 'none' : backends.join(', ');
    throw new UserError(`--cni-backend ${cniBackend}: the plugin '${cni}' does not have it; it has ${has}`);
  }
  if (!hasIpv6(cni) && ipFamily !== 'ipv4') {
    throw new UserError(`--cni ${cni} has IPv4 alone here: use --ip-family ipv4, or another plugin`);
  }
  return { cni, cniBackend };
}
