/** `podwire up --cni cilium --set NAME=VALUE`: values of cilium's Helm chart, as far as they choose something here. */

import type { ProxyMode } from './cluster-settings.ts';
import type { CniChoice } from './cni-choice.ts';
import { UserError } from './user-error.ts';

export interface CiliumValues {
  readonly cniBackend?: CniChoice['cniBackend'];
  readonly proxyMode?: ProxyMode;
}

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  routingMode: ['tunnel', 'native'],
  tunnelProtocol: ['vxlan', 'geneve'],
  kubeProxyReplacement: ['true', 'false'],
};

/** Throws UserError for a name or a value that means nothing here. */
export function ciliumValues(assignments: readonly string[]): CiliumValues {
  const values = new Map(assignments.map(parsed));
  const isNative = values.get('routingMode') === 'native';
  if (isNative && values.has('tunnelProtocol')) {
    throw new UserError('--set tunnelProtocol: with routingMode=native there is no tunnel: leave one of the two out');
  }
  const protocol = values.get('tunnelProtocol') === 'geneve' ? 'geneve' : 'vxlan';
  const saysRouting = values.has('routingMode') || values.has('tunnelProtocol');
  return {
    ...(saysRouting ? { cniBackend: isNative ? 'native' : protocol } : {}),
    ...(values.get('kubeProxyReplacement') === 'true' ? { proxyMode: 'ebpf' } : {}),
  };
}

function parsed(assignment: string): readonly [string, string] {
  const [name = '', value = ''] = assignment.split(/=(.*)/s);
  const allowed = ALLOWED[name];
  if (allowed === undefined) {
    throw new UserError(`--set ${assignment}: of cilium's values there are ${Object.keys(ALLOWED).join(', ')} here`);
  }
  if (!allowed.includes(value)) {
    throw new UserError(`--set ${assignment}: ${name} may be ${allowed.join(' or ')}`);
  }
  return [name, value];
}
