/** What kube-router adds to a node's tables: pods may be forwarded as policies say, and are masqueraded beyond the pods and the nodes. */
import { comment } from '../../../shared/rules/match.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';
import { NO_POLICIES, type PolicyChains } from './policy-chains.ts';

export const NODES_SET = 'kube-router-node-ips';
const KUBE_BRIDGE = { name: 'kube-bridge' };

/** `nodes` are the addresses (uint32) of all nodes, this one's too; `policies`: as chains. Replaces what kube-router had. */
export function kubeRouterRules(
  bootId: string,
  clusterCidr: IpPrefix,
  nodes: readonly number[],
  policies: PolicyChains = NO_POLICIES,
): RulesTransaction {
  const allow = { kind: 'accept' } as const;
  return {
    owner: 'kube-router',
    family: 'ipv4',
    bootId,
    base: null,
    ipvs: {
      ipSets: { [NODES_SET]: { type: 'hash:ip', add: nodes.map((address) => ({ address })) }, ...policies.ipSets },
    },
    tables: {
      nat: {
        hooks: [
          {
            chain: 'POSTROUTING',
            position: 'last',
            rule: {
              source: clusterCidr,
              destination: { ...clusterCidr, negated: true },
              matches: [{ kind: 'set', set: NODES_SET, sides: ['dst'], negated: true }],
              target: { kind: 'masquerade', randomFully: true },
            },
          },
        ],
      },
      filter: {
        set: policies.chains,
        hooks: [
          ...policies.hooks,
          {
            chain: 'FORWARD',
            position: 'last',
            rule: {
              inDevice: KUBE_BRIDGE,
              matches: [comment('allow outbound traffic from pods')],
              target: allow,
            },
          },
          {
            chain: 'FORWARD',
            position: 'last',
            rule: { outDevice: KUBE_BRIDGE, matches: [comment('allow inbound traffic to pods')], target: allow },
          },
        ],
      },
    },
  };
}
