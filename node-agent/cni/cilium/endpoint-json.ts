/** `cilium-dbg endpoint list|get` and `identity list|get` in JSON. */
import { formatIpv4, formatMac } from '../../../shared/wire/address.ts';
import { RESERVED_IDENTITIES } from '../../datapath/cilium/identity.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { endpointId } from './endpoint-id.ts';
import { identityLabels } from './identity-labels.ts';
import { engineOf } from './policy-maps.ts';

interface ShownEndpoint {
  readonly id: number;
}

/** `wanted`: its number; all without one. */
export function endpointsJson(view: CiliumView, wanted?: string): string {
  const all: ShownEndpoint[] = view.directory.here().map(([address]) => endpointOf(view, address));
  const meant = wanted === undefined ? all : all.filter(({ id }) => `${id}` === wanted);
  if (wanted !== undefined && meant.length === 0) return `Error: Cannot get endpoint ${wanted}: endpoint not found\n`;
  return json(meant);
}

function endpointOf(view: CiliumView, address: number) {
  const { datapath, directory, network, repository } = view;
  const { identity, pod } = directory.endpointAt(address)!; // one that is here
  const said = engineOf(view)?.endpoint(address);
  const known = network.ciliumHost.endpoints.get(address);
  const device = known && {
    'interface-index': known.device.index,
    'interface-name': known.device.name,
    mac: formatMac(known.podMac),
    'host-mac': formatMac(known.device.macAddress),
  };
  const names = {
    'k8s-namespace': pod.namespace,
    'k8s-pod-name': pod.name,
    'pod-name': `${pod.namespace}/${pod.name}`,
  };
  return {
    id: endpointId(datapath, address),
    status: {
      'external-identifiers': names,
      identity: { id: identity, labels: identityLabels(directory, identity) },
      networking: { addressing: [{ ipv4: formatIpv4(address) }], ...device },
      policy: { realized: { id: identity, 'policy-enabled': enabled(said), 'policy-revision': repository.revision } },
      state: endpointState(identity),
    },
  };
}

export function endpointState(identity: number): string {
  return identity === RESERVED_IDENTITIES.init ? 'waiting-for-identity' : 'ready';
}

function enabled(said: { readonly ingress: object | null; readonly egress: object | null } | undefined): string {
  const sides = (['ingress', 'egress'] as const).filter((side) => (said?.[side] ?? null) !== null);
  return sides.length === 2 ? 'both' : (sides[0] ?? 'none');
}

/** `wanted`: a number; all without one. */
export function identitiesJson({ directory }: CiliumView, wanted?: string): string {
  const numbers = [...Object.values(RESERVED_IDENTITIES), ...directory.identities.map(([number]) => number)];
  const meant = wanted === undefined ? numbers : numbers.filter((number) => `${number}` === wanted);
  if (wanted !== undefined && meant.length === 0) return `Error: Cannot get identity ${wanted}: identity not found\n`;
  return json(meant.map((id) => ({ id, labels: identityLabels(directory, id) })));
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
