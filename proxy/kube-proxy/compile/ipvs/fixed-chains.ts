/**
 * What IPVS mode leaves to iptables: masquerade, source ranges and refusals, by a few rules that ask ipsets.
 *
 *   nat     PREROUTING, OUTPUT -> KUBE-SERVICES -> KUBE-LOAD-BALANCER, KUBE-NODE-PORT -> KUBE-MARK-MASQ
 *           POSTROUTING -> KUBE-POSTROUTING -> MASQUERADE of marked packets and of a pod's to itself
 *   filter  INPUT -> KUBE-PROXY-FIREWALL -> KUBE-SOURCE-RANGES-FIREWALL, KUBE-NODE-PORT, KUBE-IPVS-FILTER
 */
import { comment, type Match } from '../../../../shared/rules/match.ts';
import type { Rule } from '../../../../shared/rules/rule.ts';
import type { BuiltInChain } from '../../../../shared/rules/table.ts';
import { jump, type Target } from '../../../../shared/rules/target.ts';
import type { HookRule, RulesTransaction } from '../../../../shared/rules/transaction.ts';
import type { IpFamily } from '../../../../shared/wire/ip-address.ts';
import {
  FORWARD,
  FORWARD_RULES,
  MARK_MASQ,
  MARK_MASQ_RULES,
  POSTROUTING,
  POSTROUTING_RULES,
  PROXY_FIREWALL,
  REFUSALS,
  SERVICES,
} from '../iptables/fixed-chains.ts';
import type { ProxyContext } from '../proxy-context.ts';
import { IP_SETS, type IpSetName, ipSetName } from './ip-sets.ts';

const LOAD_BALANCER = 'KUBE-LOAD-BALANCER';
const NODE_PORT = 'KUBE-NODE-PORT';
const SOURCE_RANGES = 'KUBE-SOURCE-RANGES-FIREWALL';
const IPVS_FILTER = 'KUBE-IPVS-FILTER';

const RETURN: Target = { kind: 'return' };
const ACCEPT: Target = { kind: 'accept' };

/** Makes rules that ask the sets of one family. */
type InSet = (set: IpSetName, target: Target, more?: readonly Match[], text?: string) => Rule;

function inSetOf(family: IpFamily): InSet {
  return (name, target, more = [], text) => {
    const { sides } = IP_SETS[name];
    const set = ipSetName(name, family);
    return { matches: [...(text === undefined ? [] : [comment(text)]), { kind: 'set', set, sides }, ...more], target };
  };
}

function local(side: 'source' | 'destination', negated = false): Match {
  return { kind: 'addrtype', side, type: 'LOCAL', ...(negated ? { negated } : {}) };
}

/** The other end of a bridge's port is a pod; `! --physdev-is-in` is what came from elsewhere. */
const notBridged: Match = { kind: 'physdev', test: { kind: 'is-in' }, negated: true };

function servicesRules({ clusterCidr, masqueradeAll }: ProxyContext, inSet: InSet): Rule[] {
  const clusterIp = inSet('KUBE-CLUSTER-IP', jump(MARK_MASQ), [], CLUSTER_IP_TEXT);
  return [
    inSet('KUBE-LOAD-BALANCER', jump(LOAD_BALANCER), [], 'Kubernetes service lb portal'),
    masqueradeAll ? clusterIp : { source: { ...clusterCidr, negated: true }, ...clusterIp },
    inSet('KUBE-EXTERNAL-IP', jump(MARK_MASQ), [], EXTERNAL_TEXT),
    inSet('KUBE-EXTERNAL-IP', ACCEPT, [notBridged, local('source', true)], EXTERNAL_TEXT),
    inSet('KUBE-EXTERNAL-IP', ACCEPT, [local('destination')], EXTERNAL_TEXT),
    inSet('KUBE-EXTERNAL-IP-LOCAL', ACCEPT, [notBridged, local('source', true)], EXTERNAL_LOCAL_TEXT),
    inSet('KUBE-EXTERNAL-IP-LOCAL', ACCEPT, [local('destination')], EXTERNAL_LOCAL_TEXT),
    { matches: [local('destination')], target: jump(NODE_PORT) },
    inSet('KUBE-CLUSTER-IP', ACCEPT),
    inSet('KUBE-LOAD-BALANCER', ACCEPT),
  ];
}

const CLUSTER_IP_TEXT = 'Kubernetes service cluster ip + port for masquerade purpose';
const EXTERNAL_TEXT = 'Kubernetes service external ip + port for masquerade and filter purpose';
const EXTERNAL_LOCAL_TEXT = 'Kubernetes service external ip + port with externalTrafficPolicy=local';

function nodePortRules(inSet: InSet): Rule[] {
  return (['tcp', 'udp'] as const).flatMap((name) => {
    const upper = name === 'tcp' ? 'TCP' : 'UDP';
    const text = `Kubernetes nodeport ${upper} port`;
    return [
      {
        protocol: { name },
        ...inSet(`KUBE-NODE-PORT-LOCAL-${upper}`, RETURN, [], `${text} with externalTrafficPolicy=local`),
      },
      {
        protocol: { name },
        ...inSet(`KUBE-NODE-PORT-${upper}`, jump(MARK_MASQ), [], `${text} for masquerade purpose`),
      },
    ];
  });
}

function natChains(context: ProxyContext, inSet: InSet): Record<string, readonly Rule[]> {
  return {
    [SERVICES]: servicesRules(context, inSet),
    [LOAD_BALANCER]: [
      inSet(
        'KUBE-LOAD-BALANCER-LOCAL',
        RETURN,
        [],
        'Kubernetes service load balancer ip + port with externalTrafficPolicy=local',
      ),
      { target: jump(MARK_MASQ) },
    ],
    [NODE_PORT]: nodePortRules(inSet),
    [POSTROUTING]: [
      inSet(
        'KUBE-LOOP-BACK',
        { kind: 'masquerade' },
        [],
        'Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose',
      ),
      ...POSTROUTING_RULES,
    ],
    [MARK_MASQ]: MARK_MASQ_RULES,
  };
}

const FIREWALL_TEXT = 'Kubernetes service load balancer ip + port for load balancer with sourceRange';

function filterChains(family: IpFamily, inSet: InSet): Record<string, readonly Rule[]> {
  return {
    [FORWARD]: FORWARD_RULES,
    [PROXY_FIREWALL]: [inSet('KUBE-LOAD-BALANCER-FW', jump(SOURCE_RANGES), [], FIREWALL_TEXT)],
    [SOURCE_RANGES]: [
      inSet(
        'KUBE-LOAD-BALANCER-SOURCE-CIDR',
        RETURN,
        [],
        'Kubernetes service load balancer ip + port + source cidr for packet filter',
      ),
      { target: { kind: 'drop' } },
    ],
    [NODE_PORT]: [inSet('KUBE-HEALTH-CHECK-NODE-PORT', ACCEPT, [], 'Kubernetes health check node port')],
    [IPVS_FILTER]: [
      inSet('KUBE-LOAD-BALANCER', RETURN),
      inSet('KUBE-CLUSTER-IP', RETURN),
      inSet('KUBE-EXTERNAL-IP', RETURN),
      inSet('KUBE-EXTERNAL-IP-LOCAL', RETURN),
      inSet('KUBE-HEALTH-CHECK-NODE-PORT', RETURN),
      {
        matches: [
          { kind: 'conntrack', states: ['NEW'] },
          { kind: 'set', set: ipSetName('KUBE-IPVS-IPS', family), sides: ['dst'] },
        ],
        target: { kind: 'reject', with: REFUSALS[family] },
      },
    ],
  };
}

function hook(chain: BuiltInChain, target: string, text: string): HookRule {
  return { chain, position: 'first', rule: { matches: [comment(text)], target: jump(target) } };
}

const SERVICES_TEXT = 'kubernetes service portals';
const FIREWALL_HOOK_TEXT = 'kube-proxy firewall rules';

const NAT_HOOKS: readonly HookRule[] = [
  hook('PREROUTING', SERVICES, SERVICES_TEXT),
  hook('OUTPUT', SERVICES, SERVICES_TEXT),
  hook('POSTROUTING', POSTROUTING, 'kubernetes postrouting rules'),
];

const FILTER_HOOKS: readonly HookRule[] = [
  hook('INPUT', PROXY_FIREWALL, FIREWALL_HOOK_TEXT),
  hook('INPUT', NODE_PORT, 'kubernetes health check rules'),
  hook('INPUT', IPVS_FILTER, 'kubernetes ipvs access filter'),
  hook('FORWARD', PROXY_FIREWALL, FIREWALL_HOOK_TEXT),
  hook('FORWARD', FORWARD, 'kubernetes forwarding rules'),
];

export function fixedTables(context: ProxyContext): RulesTransaction['tables'] {
  const { family } = context;
  const inSet = inSetOf(family);
  return {
    nat: { set: natChains(context, inSet), hooks: NAT_HOOKS },
    filter: { set: filterChains(family, inSet), hooks: FILTER_HOOKS },
  };
}
