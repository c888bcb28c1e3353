/** `securityContext.sysctls` of a pod: parameters of its network namespace, set before its first container. */
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { Host } from '../../shared/netstack/host.ts';
import { sysctlName, writeSysctl } from '../../shared/netstack/sysctl.ts';

/** A sysctl that cannot be set; the message is the container runtime's. */
export class SysctlError extends Error {
  override readonly name = 'SysctlError';
}

/**
 * Sets them all. Throws `SysctlError` at the first that there is not or that has no such value; parameters outside the
 * network namespace are among those that there are not.
 */
export function applySysctls(pod: Pod, host: Host): void {
  const { hostNetwork, securityContext } = pod.spec ?? {};
  for (const { name, value } of securityContext?.sysctls ?? []) {
    const key = sysctlName(name);
    if (hostNetwork) throw new SysctlError(`sysctl "${key}" not allowed with host net enabled`);
    const failure = writeSysctl(host, key, value);
    if (failure === null) continue;
    const path = `/proc/sys/${key.replaceAll('.', '/')}`;
    if (failure === 'unknown') throw new SysctlError(`open ${path}: no such file or directory`);
    if (failure === 'read-only') throw new SysctlError(`open ${path}: permission denied`);
    throw new SysctlError(`write ${path}: ${failure === 'invalid' ? 'invalid argument' : 'no such file or directory'}`);
  }
}
