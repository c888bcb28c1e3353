/** What cilium's agent adds to a node's tables; all else is done by the programs at the devices. */
import { comment } from '../../../shared/rules/match.ts';
import type { Rule } from '../../../shared/rules/rule.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import type { IpPrefix } from '../../../shared/wire/ip-address.ts';

/** `podCidr` is this node's part of `clusterCidr`, within which addresses stay what they are. */
export function ciliumRules(bootId: string, clusterCidr: IpPrefix, podCidr: IpPrefix): RulesTransaction {
  const accepted = (direction: 'inDevice' | 'outDevice', name: string, text: string): Rule => ({
    [direction]: { name },
    matches: [comment(`cilium: ${text} forward accept`)],
    target: { kind: 'accept' },
  });
  return {
    owner: 'cilium',
    family: 'ipv4',
    bootId,
    base: null,
    tables: {
      nat: {
        set: {
          CILIUM_POST_nat: [
            {
              source: podCidr,
              destination: { ...clusterCidr, negated: true },
              outDevice: { name: 'cilium_+', negated: true },
              matches: [comment('cilium masquerade non-cluster')],
              target: { kind: 'masquerade', randomFully: true },
            },
          ],
        },
        hooks: [
          {
            chain: 'POSTROUTING',
            position: 'first',
            rule: { matches: [comment('cilium-feeder: CILIUM_POST_nat')], target: jump('CILIUM_POST_nat') },
          },
        ],
      },
      filter: {
        set: {
          CILIUM_FORWARD: [
            accepted('outDevice', 'cilium_host', 'any->cluster on cilium_host'),
            accepted('inDevice', 'cilium_host', 'cluster->any on cilium_host'),
            accepted('inDevice', 'lxc+', 'cluster->any on lxc+'),
            accepted('inDevice', 'cilium_net', 'cluster->any on cilium_net'),
          ],
        },
        hooks: [
          {
            chain: 'FORWARD',
            position: 'first',
            rule: { matches: [comment('cilium-feeder: CILIUM_FORWARD')], target: jump('CILIUM_FORWARD') },
          },
        ],
      },
    },
  };
}
