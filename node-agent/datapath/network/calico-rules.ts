/** What calico's Felix adds to a node's tables: packets of pods pass, and are masqueraded where they leave the pods' network. */
import { comment } from '../../../shared/rules/match.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';

/** The marks with which the original remembers what it decided are not among them: policy is judged beside the tables. */
export function calicoRules(bootId: string, clusterCidr: IpPrefix): RulesTransaction {
  const forward = comment('cali:forward');
  return {
    owner: 'calico',
    family: 'ipv4',
    bootId,
    base: null,
    tables: {
      nat: {
        set: {
          'cali-POSTROUTING': [{ target: jump('cali-nat-outgoing') }],
          'cali-nat-outgoing': [
            {
              source: clusterCidr,
              destination: { ...clusterCidr, negated: true },
              target: { kind: 'masquerade', randomFully: true },
            },
          ],
        },
        hooks: [{ chain: 'POSTROUTING', position: 'first', rule: { target: jump('cali-POSTROUTING') } }],
      },
      filter: {
        set: {
          'cali-FORWARD': [
            { source: clusterCidr, matches: [forward], target: { kind: 'accept' } },
            { destination: clusterCidr, matches: [forward], target: { kind: 'accept' } },
          ],
        },
        hooks: [{ chain: 'FORWARD', position: 'last', rule: { target: jump('cali-FORWARD') } }],
      },
    },
  };
}
