/**
 * Says of NetworkPolicies that the cluster's CNI plugin does not enforce them: once a policy, by an event and by an
 * annotation, which `kubectl describe networkpolicy` shows and which remembers that it was said. In a cluster whose plugin
 * enforces them the annotation goes.
 */
import type { Node } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { Live } from '../../../shared/api/live.ts';
import { NETWORKPOLICIES, NODES } from '../../../shared/api/resources.ts';
import { type CniPluginName, enforcesPolicy, installedOn } from '../../../shared/runtime/cni-plugins.ts';
import { type Action, NOTHING, type Outcome } from '../action.ts';
import { type Controller, keyOf, keysFrom, splitKey } from '../controller.ts';
import type { Informers } from '../informers.ts';

export const NOT_ENFORCED_ANNOTATION = 'podwire.dev/not-enforced';

export interface UnenforcedPolicyState {
  readonly policy: Live<NetworkPolicy>;
  readonly cni: CniPluginName;
}

export function unenforcedPolicyController(
  informers: Informers,
  cni: CniPluginName,
): Controller<UnenforcedPolicyState> {
  const policies = informers.of<Live<NetworkPolicy>>(NETWORKPOLICIES);
  const nodes = informers.of<Live<Node>>(NODES);
  return {
    name: 'network-policy-controller',
    sources: [
      keysFrom(policies, (policy) => [keyOf(policy)]),
      // A node says which plugin was installed on it.
      ...(cni === 'none' ? [keysFrom(nodes, () => policies.list().map(keyOf))] : []),
    ],
    gather(key) {
      const { namespace, name } = splitKey(key);
      const policy = policies.get(name, namespace);
      return policy === undefined ? undefined : { policy, cni: cni === 'none' ? installedOn(nodes.list()) : cni };
    },
    reconcile: reconcileUnenforcedPolicy,
  };
}

export function reconcileUnenforcedPolicy({ policy, cni }: UnenforcedPolicyState): Outcome {
  const said = policy.metadata.annotations?.[NOT_ENFORCED_ANNOTATION];
  // A plugin that is installed later may enforce them.
  const message = cni === 'none' || enforcesPolicy(cni) ? undefined : messageFor(cni);
  if (said === message) return NOTHING;
  const note = annotate(policy, message ?? null);
  return { actions: message === undefined ? [note] : [note, eventAbout(policy, message)] };
}

function messageFor(cni: CniPluginName): string {
  return `the CNI plugin '${cni}' does not enforce NetworkPolicies: this one has no effect (podwire up --cni canal enforces them)`;
}

function annotate({ metadata: { name, namespace } }: Live<NetworkPolicy>, text: string | null): Action {
  const body = { metadata: { annotations: { [NOT_ENFORCED_ANNOTATION]: text } } };
  return { kind: 'patch', resource: NETWORKPOLICIES, name, namespace, type: 'merge', body };
}

function eventAbout({ metadata: { name, namespace, uid } }: Live<NetworkPolicy>, message: string): Action {
  const about = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', name, namespace, uid };
  return { kind: 'event', about, type: 'Warning', reason: 'NetworkPolicyNotEnforced', message };
}
