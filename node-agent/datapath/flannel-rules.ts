/**
 * The rules flannel adds to a node (pkg/trafficmngr of flannel): pods' packets that leave the cluster's pod network are
 * masqueraded, pods' packets to pods are not, and both may be forwarded.
 */
import { comment } from '../../shared/rules/match.ts';
import type { Rule } from '../../shared/rules/rule.ts';
import { jump } from '../../shared/rules/target.ts';
import type { RulesTransaction } from '../../shared/rules/transaction.ts';
import { familyOf, type IpPrefix } from '../../shared/wire/ip-address.ts';
import { ALL_NODES } from '../../shared/wire/ipv6-address.ts';

/** kube-proxy's masquerade mark: it takes care of these itself. */
const MASQUERADE_MARK = 0x4000;
const MULTICAST = {
  ipv4: { address: 0xe000_0000, prefixLength: 4 },
  ipv6: { address: ALL_NODES, prefixLength: 8 },
} as const;

/** `podCidr` is the node's part of `clusterCidr`. Replaces what flannel had of their version. */
export function flannelRules(bootId: string, clusterCidr: IpPrefix, podCidr: IpPrefix): RulesTransaction {
  const family = familyOf(podCidr.address);
  const masq = comment('flanneld masq');
  const forward = comment('flanneld forward');
  const masquerade = { kind: 'masquerade', randomFully: true } as const;
  const back = { kind: 'return' } as const;
  const postrouting: Rule[] = [
    {
      matches: [{ kind: 'mark', value: MASQUERADE_MARK, mask: MASQUERADE_MARK }, masq],
      target: back,
    },
    { source: podCidr, destination: clusterCidr, matches: [masq], target: back },
    { source: clusterCidr, destination: podCidr, matches: [masq], target: back },
    { source: { ...clusterCidr, negated: true }, destination: podCidr, matches: [masq], target: back },
    { source: clusterCidr, destination: { ...MULTICAST[family], negated: true }, matches: [masq], target: masquerade },
    { source: { ...clusterCidr, negated: true }, destination: clusterCidr, matches: [masq], target: masquerade },
  ];
  return {
    owner: 'flannel',
    family,
    bootId,
    base: null,
    tables: {
      nat: {
        set: { 'FLANNEL-POSTRTG': postrouting },
        hooks: [{ chain: 'POSTROUTING', position: 'last', rule: { matches: [masq], target: jump('FLANNEL-POSTRTG') } }],
      },
      filter: {
        set: {
          'FLANNEL-FWD': [
            { source: clusterCidr, matches: [forward], target: { kind: 'accept' } },
            { destination: clusterCidr, matches: [forward], target: { kind: 'accept' } },
          ],
        },
        hooks: [{ chain: 'FORWARD', position: 'last', rule: { matches: [forward], target: jump('FLANNEL-FWD') } }],
      },
    },
  };
}
