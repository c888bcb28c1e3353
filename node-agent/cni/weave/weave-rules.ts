/** weave's chain in nat: what comes into or leaves the pods' network is masqueraded, but for what goes to pods of this node. */
import { comment } from '../../../shared/rules/match.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';

const LOCAL_PODS = 'weaver-no-masq-local';
const MULTICAST = { address: 0xe000_0000, prefixLength: 4 };

/** `localPods`: addresses (uint32). Replaces what weave had. */
export function weaveRules(bootId: string, range: IpPrefix, localPods: readonly number[]): RulesTransaction {
  const outside = { ...range, negated: true };
  const masquerade = { kind: 'masquerade' } as const;
  const back = { kind: 'return' } as const;
  return {
    owner: 'weave',
    family: 'ipv4',
    bootId,
    base: null,
    ipvs: { ipSets: { [LOCAL_PODS]: { type: 'hash:ip', add: localPods.map((address) => ({ address })) } } },
    tables: {
      nat: {
        set: {
          WEAVE: [
            {
              matches: [
                { kind: 'set', set: LOCAL_PODS, sides: ['dst'] },
                comment('Prevent SNAT to locally running containers'),
              ],
              target: back,
            },
            { source: range, destination: MULTICAST, target: back },
            { source: outside, destination: range, target: masquerade },
            { source: range, destination: outside, target: masquerade },
          ],
        },
        hooks: [{ chain: 'POSTROUTING', position: 'last', rule: { target: jump('WEAVE') } }],
      },
    },
  };
}
