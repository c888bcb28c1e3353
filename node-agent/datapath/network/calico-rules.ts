/** What calico's Felix adds to a node's tables: packets of pods pass, and are masqueraded where they leave the pods' networks. */
import { comment } from '../../../shared/rules/match.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';

/** A pool of pods' addresses. */
export interface PoolRules {
  readonly cidr: IpPrefix;
  /** Its pods' packets are masqueraded where they leave the pools. */
  readonly natOutgoing: boolean;
}

/** The marks with which the original remembers what it decided are not among them: policy is judged beside the tables. */
export function calicoRules(bootId: string, pools: readonly PoolRules[]): RulesTransaction {
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
            ...pools.map(({ cidr }) => ({ destination: cidr, target: { kind: 'return' } }) as const),
            ...pools
              .filter(({ natOutgoing }) => natOutgoing)
              .map(({ cidr }) => ({ source: cidr, target: { kind: 'masquerade', randomFully: true } }) as const),
          ],
        },
        hooks: [{ chain: 'POSTROUTING', position: 'first', rule: { target: jump('cali-POSTROUTING') } }],
      },
      filter: {
        set: {
          'cali-FORWARD': pools.flatMap(({ cidr }) => [
            { source: cidr, matches: [forward], target: { kind: 'accept' } } as const,
            { destination: cidr, matches: [forward], target: { kind: 'accept' } } as const,
          ]),
        },
        hooks: [{ chain: 'FORWARD', position: 'last', rule: { target: jump('cali-FORWARD') } }],
      },
    },
  };
}
