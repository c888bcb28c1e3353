/**
 * What does not depend on Services: the jumps from the built-in chains and the chains for marking, masquerading and forwarding.
 *
 *   nat     PREROUTING, OUTPUT -> KUBE-SERVICES -> KUBE-SVC-* -> KUBE-SEP-* -> DNAT
 *                                       |            ^
 *                                       +-> KUBE-NODEPORTS -> KUBE-EXT-*        (last rule)
 *           POSTROUTING -> KUBE-POSTROUTING -> MASQUERADE of marked packets
 *   filter  INPUT, FORWARD, OUTPUT -> KUBE-PROXY-FIREWALL, KUBE-SERVICES and KUBE-EXTERNAL-SERVICES (REJECT without endpoints)
 */
import { comment, type Match } from '../../../../shared/rules/match.ts';
import type { Rule } from '../../../../shared/rules/rule.ts';
import type { BuiltInChain } from '../../../../shared/rules/table.ts';
import { jump, orMark, xorMark } from '../../../../shared/rules/target.ts';
import type { HookRule } from '../../../../shared/rules/transaction.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';
import { LOOPBACK_IPV6 } from '../../../../shared/wire/ipv6-address.ts';

export const SERVICES = 'KUBE-SERVICES';
export const NODE_PORTS = 'KUBE-NODEPORTS';
export const EXTERNAL_SERVICES = 'KUBE-EXTERNAL-SERVICES';
export const PROXY_FIREWALL = 'KUBE-PROXY-FIREWALL';
export const FORWARD = 'KUBE-FORWARD';
export const POSTROUTING = 'KUBE-POSTROUTING';
export const MARK_MASQ = 'KUBE-MARK-MASQ';

/** Bit 14, kube-proxy's default. */
export const MASQUERADE_BIT = 0x4000;

const isNew: Match = { kind: 'conntrack', states: ['NEW'] };
const LOOPBACK = {
  ipv4: { address: 0x7f00_0000, prefixLength: 8 },
  ipv6: { address: LOOPBACK_IPV6, prefixLength: 128 },
} as const;

function hook(chain: BuiltInChain, target: string, text: string, onlyNew: boolean): HookRule {
  const matches = onlyNew ? [isNew, comment(text)] : [comment(text)];
  return { chain, position: 'first', rule: { matches, target: jump(target) } };
}

const FIREWALL_TEXT = 'kubernetes load balancer firewall';
const SERVICES_TEXT = 'kubernetes service portals';
const EXTERNAL_TEXT = 'kubernetes externally-visible service portals';

export const FILTER_HOOKS: readonly HookRule[] = [
  hook('INPUT', PROXY_FIREWALL, FIREWALL_TEXT, true),
  hook('INPUT', NODE_PORTS, 'kubernetes health check service ports', false),
  hook('INPUT', EXTERNAL_SERVICES, EXTERNAL_TEXT, true),
  hook('FORWARD', PROXY_FIREWALL, FIREWALL_TEXT, true),
  hook('FORWARD', FORWARD, 'kubernetes forwarding rules', false),
  hook('FORWARD', SERVICES, SERVICES_TEXT, true),
  hook('FORWARD', EXTERNAL_SERVICES, EXTERNAL_TEXT, true),
  hook('OUTPUT', PROXY_FIREWALL, FIREWALL_TEXT, true),
  hook('OUTPUT', SERVICES, SERVICES_TEXT, true),
];

export const NAT_HOOKS: readonly HookRule[] = [
  hook('PREROUTING', SERVICES, SERVICES_TEXT, false),
  hook('OUTPUT', SERVICES, SERVICES_TEXT, false),
  hook('POSTROUTING', POSTROUTING, 'kubernetes postrouting rules', false),
];

const marked: Match = { kind: 'mark', value: MASQUERADE_BIT, mask: MASQUERADE_BIT };

export const POSTROUTING_RULES: readonly Rule[] = [
  { matches: [{ ...marked, negated: true }], target: { kind: 'return' } },
  // The mark is taken off, so that a packet that passes again (into a tunnel) is not masqueraded twice.
  { target: xorMark(MASQUERADE_BIT) },
  {
    matches: [comment('kubernetes service traffic requiring SNAT')],
    target: { kind: 'masquerade', randomFully: true },
  },
];

export const MARK_MASQ_RULES: readonly Rule[] = [{ target: orMark(MASQUERADE_BIT) }];

export const FORWARD_RULES: readonly Rule[] = [
  { matches: [{ kind: 'conntrack', states: ['INVALID'] }], target: { kind: 'drop' } },
  { matches: [comment('kubernetes forwarding rules'), marked], target: { kind: 'accept' } },
  {
    matches: [
      comment('kubernetes forwarding conntrack rule'),
      { kind: 'conntrack', states: ['RELATED', 'ESTABLISHED'] },
    ],
    target: { kind: 'accept' },
  },
];

/** The last rule of KUBE-SERVICES; node ports on loopback addresses only where the node allows them, with IPv6 never. */
export function nodePortsRule(family: IpFamily, localhostNodePorts: boolean): Rule {
  const isOpen = localhostNodePorts && family === 'ipv4';
  return {
    ...(isOpen ? {} : { destination: { ...LOOPBACK[family], negated: true } }),
    matches: [
      comment('kubernetes service nodeports; NOTE: this must be the last rule in this chain'),
      { kind: 'addrtype', side: 'destination', type: 'LOCAL' },
    ],
    target: jump(NODE_PORTS),
  };
}

/** What a Service without endpoints answers. */
export const REFUSALS = { ipv4: 'icmp-port-unreachable', ipv6: 'icmp6-port-unreachable' } as const;
