/** `podwire up --cni cilium --set NAME=VALUE`: values of cilium's Helm chart, as far as they choose something here. */

import { ENFORCEMENT_MODES } from '../shared/policy/cilium-enforcement.ts';
import type { ProxyMode } from './cluster-settings.ts';
import type { CniChoice } from './cni-choice.ts';
import { UserError } from './user-error.ts';

export interface CiliumValues {
  readonly cniBackend?: CniChoice['cniBackend'];
  readonly proxyMode?: ProxyMode;
  /** Under the names of its ConfigMap. */
  readonly cniSettings?: Readonly<Record<string, string>>;
}

const ALLOWED: Readonly<Record<string, readonly string[] | 'seconds'>> = {
  routingMode: ['tunnel', 'native'],
  tunnelProtocol: ['vxlan', 'geneve'],
  kubeProxyReplacement: ['true', 'false'],
  'encryption.enabled': ['true', 'false'],
  'encryption.type': ['wireguard'],
  policyEnforcementMode: ENFORCEMENT_MODES,
  'dnsProxy.minTtl': 'seconds',
  // What there is, whether somebody says so or not.
  autoDirectNodeRoutes: ['true'],
  'ipam.mode': ['kubernetes'],
  'hubble.enabled': ['true'],
  'hubble.relay.enabled': ['true'],
};
const CONFIG_MAP_NAMES: Readonly<Record<string, string>> = {
  policyEnforcementMode: 'enable-policy',
  'dnsProxy.minTtl': 'tofqdns-min-ttl',
};

/** Throws UserError for a name or a value that means nothing here. */
export function ciliumValues(assignments: readonly string[]): CiliumValues {
  const values = new Map(assignments.map(parsed));
  const isNative = values.get('routingMode') === 'native';
  if (isNative && values.has('tunnelProtocol')) {
    throw new UserError('--set tunnelProtocol: with routingMode=native there is no tunnel: leave one of the two out');
  }
  const cniBackend = backendOf(values, isNative);
  const isSealedTunnel = values.get('encryption.enabled') === 'true' && !isNative;
  const cniSettings = Object.fromEntries([
    ...Object.entries(CONFIG_MAP_NAMES).flatMap(([name, key]) => {
      const value = values.get(name);
      return value === undefined ? [] : [[key, value]];
    }),
    ...(isSealedTunnel ? [['enable-wireguard', 'true']] : []),
  ]);
  return {
    ...(Object.keys(cniSettings).length === 0 ? {} : { cniSettings }),
    ...(cniBackend === undefined ? {} : { cniBackend }),
    ...(values.get('kubeProxyReplacement') === 'true' ? { proxyMode: 'ebpf' } : {}),
  };
}

/** Undefined where the values say nothing of it. */
function backendOf(values: ReadonlyMap<string, string>, isNative: boolean): CniChoice['cniBackend'] {
  if (values.get('encryption.enabled') === 'true') {
    // The chart's default is IPsec, which is not here.
    if (values.get('encryption.type') !== 'wireguard') {
      throw new UserError(
        '--set encryption.enabled=true: say encryption.type=wireguard too, as there is no IPsec here',
      );
    }
    if (isNative) return 'wireguard';
  }
  if (isNative) return 'native';
  const saysTunnel = ['routingMode', 'tunnelProtocol', 'encryption.enabled'].some((name) => values.has(name));
  if (!saysTunnel) return undefined;
  return values.get('tunnelProtocol') === 'geneve' ? 'geneve' : 'vxlan';
}

function parsed(assignment: string): readonly [string, string] {
  const [name = '', value = ''] = assignment.split(/=(.*)/s);
  const allowed = ALLOWED[name];
  if (allowed === undefined) {
    throw new UserError(`--set ${assignment}: of cilium's values there are ${Object.keys(ALLOWED).join(', ')} here`);
  }
  if (allowed === 'seconds') {
    if (!/^\d{1,9}$/.test(value)) throw new UserError(`--set ${assignment}: ${name} is a whole number of seconds`);
  } else if (!allowed.includes(value)) {
    throw new UserError(`--set ${assignment}: ${name} may be ${allowed.join(' or ')}`);
  }
  return [name, value];
}
