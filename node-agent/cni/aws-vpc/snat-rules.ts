/**
 * What aws-node writes into iptables: within the VPC pods are seen with their own addresses, beyond it with the node's. As only
 * eth0 has that one, connections that need it are marked, and stay with eth0 whatever interface their pod's address is of.
 */
import { comment, type Match } from '../../../shared/rules/match.ts';
import type { Rule } from '../../../shared/rules/rule.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { networkOf } from '../../../shared/wire/ip-address.ts';
import { PRIMARY_MARK } from '../../datapath/network/elastic-network.ts';
import type { NetworkParts } from '../../datapath/network/node-network.ts';

const FROM_PODS = { name: 'eni+' };
const RESTORE: Pick<Rule, 'target'> = { target: { kind: 'restore-mark', mask: PRIMARY_MARK } };
const SET: Pick<Rule, 'target'> = { target: { kind: 'connmark', value: PRIMARY_MARK, mask: PRIMARY_MARK } };

export function snatRules(parts: NetworkParts): RulesTransaction {
  const { bootId, internalIp } = parts;
  const isRemote: Match = { kind: 'addrtype', side: 'destination', type: 'LOCAL', negated: true };
  const isOwn: Match = { kind: 'addrtype', side: 'destination', type: 'LOCAL', ofInDevice: true };
  const prerouting = (rule: Rule) => ({ chain: 'PREROUTING', position: 'last', rule }) as const;
  return {
    owner: 'aws-vpc',
    family: 'ipv4',
    bootId,
    base: null,
    tables: {
      mangle: {
        hooks: [
          prerouting({ inDevice: { name: 'eth0' }, matches: [comment('AWS, primary ENI'), isOwn], ...SET }),
          prerouting({ inDevice: FROM_PODS, matches: [comment('AWS, primary ENI')], ...RESTORE }),
        ],
      },
      nat: {
        set: {
          'AWS-CONNMARK-CHAIN-0': [
            ...returnsWithin(parts, 'AWS CONNMARK CHAIN, VPC CIDR'),
            { matches: [comment('AWS, CONNMARK')], ...SET },
          ],
          'AWS-SNAT-CHAIN-0': [
            ...returnsWithin(parts, 'AWS SNAT CHAIN'),
            {
              outDevice: { name: 'vlan+', negated: true },
              matches: [comment('AWS, SNAT'), isRemote],
              target: { kind: 'snat', address: internalIp, randomFully: true },
            },
          ],
        },
        hooks: [
          prerouting({
            inDevice: FROM_PODS,
            matches: [comment('AWS, outbound connections')],
            target: jump('AWS-CONNMARK-CHAIN-0'),
          }),
          prerouting({ matches: [comment('AWS, CONNMARK')], ...RESTORE }),
          {
            chain: 'POSTROUTING',
            position: 'last',
            rule: { matches: [comment('AWS SNAT CHAIN')], target: jump('AWS-SNAT-CHAIN-0') },
          },
        ],
      },
    },
  };
}

/** The VPC's blocks: the nodes' subnet, and the pods'. */
function returnsWithin({ clusterCidr, internalIp, internalPrefixLength }: NetworkParts, text: string): Rule[] {
  const subnet = { address: networkOf(internalIp, internalPrefixLength), prefixLength: internalPrefixLength };
  return [subnet, clusterCidr].map((destination) => ({
    destination,
    matches: [comment(text)],
    target: { kind: 'return' },
  }));
}
