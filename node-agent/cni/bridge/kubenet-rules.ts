/** The one rule that kubenet adds to a node: what pods send beyond the pods' network is masqueraded. */
import { comment } from '../../../shared/rules/match.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { familyOf, type IpPrefix } from '../../../shared/wire/ip-address.ts';

export function kubenetRules(bootId: string, clusterCidr: IpPrefix): RulesTransaction {
  return {
    owner: 'kubenet',
    family: familyOf(clusterCidr.address),
    bootId,
    base: null,
    tables: {
      nat: {
        hooks: [
          {
            chain: 'POSTROUTING',
            position: 'last',
            rule: {
              destination: { ...clusterCidr, negated: true },
              matches: [
                comment('kubenet: SNAT for outbound traffic from cluster'),
                { kind: 'addrtype', side: 'destination', type: 'LOCAL', negated: true },
              ],
              target: { kind: 'masquerade' },
            },
          },
        ],
      },
    },
  };
}
