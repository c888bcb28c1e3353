/** The rules of one Service, in the structure in which kube-proxy writes them, for tests that need no API. */
import { comment, destinationPort } from '../../shared/rules/match.ts';
import type { Rule } from '../../shared/rules/rule.ts';
import { jump, orMark, xorMark } from '../../shared/rules/target.ts';
import type { HookRule, RulesTransaction } from '../../shared/rules/transaction.ts';
import { addressBits, type IpFamily, parseAddress } from '../../shared/wire/ip-address.ts';

export interface TestService {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp';
  readonly clusterIp: string;
  readonly port: number;
  readonly nodePort?: number;
  /** `10.244.1.5:8080`, `[fd00:10:244:1::5]:8080` */
  readonly backends: readonly string[];
  readonly affinitySeconds?: number;
}

const POD_CIDR = {
  ipv4: { address: 0x0af4_0000, prefixLength: 16 },
  ipv6: { address: parseAddress('fd00:10:244::')!, prefixLength: 56 },
};
const MASQUERADE_MARK = 0x4000;

const hook = (chain: HookRule['chain'], rule: Rule): HookRule => ({ chain, position: 'first', rule });

/** Replaces all Services of the node, of one family. */
export function serviceRules(bootId: string, all: readonly TestService[], family: IpFamily = 'ipv4'): RulesTransaction {
  const services = all.filter(({ clusterIp }) => clusterIp.includes(':') === (family === 'ipv6'));
  const nat: Record<string, readonly Rule[]> = {
    'KUBE-MARK-MASQ': [{ target: orMark(MASQUERADE_MARK) }],
    'KUBE-POSTROUTING': [
      {
        matches: [{ kind: 'mark', value: MASQUERADE_MARK, mask: MASQUERADE_MARK, negated: true }],
        target: { kind: 'return' },
      },
      { target: xorMark(MASQUERADE_MARK) },
      { target: { kind: 'masquerade', randomFully: true } },
    ],
  };
  const portals: Rule[] = [];
  const nodePorts: Rule[] = [];
  const refused: Rule[] = [];
  for (const service of services) {
    const svc = `KUBE-SVC-${service.name}`;
    const address = parseAddress(service.clusterIp)!;
    const portal: Rule = {
      destination: { address, prefixLength: addressBits(address) },
      protocol: { name: service.protocol },
      matches: [comment(`default/${service.name} cluster IP`), destinationPort(service.protocol, service.port)],
    };
    if (service.backends.length === 0) {
      refused.push({ ...portal, target: { kind: 'reject', with: 'icmp-port-unreachable' } });
      continue;
    }
    portals.push({ ...portal, target: jump(svc) });
    nat[svc] = [
      { ...portal, source: { ...POD_CIDR[family], negated: true }, target: jump('KUBE-MARK-MASQ') },
      ...chooseBackend(service),
    ];
    service.backends.forEach((backend, i) => {
      nat[endpointChain(service, i)] = endpointRules(service, backend, i);
    });
    if (service.nodePort !== undefined) {
      nat[`KUBE-EXT-${service.name}`] = [{ target: jump('KUBE-MARK-MASQ') }, { target: jump(svc) }];
      nodePorts.push({
        protocol: { name: service.protocol },
        matches: [destinationPort(service.protocol, service.nodePort)],
        target: jump(`KUBE-EXT-${service.name}`),
      });
    }
  }
  nat['KUBE-NODEPORTS'] = nodePorts;
  nat['KUBE-SERVICES'] = [
    ...portals,
    { matches: [{ kind: 'addrtype', side: 'destination', type: 'LOCAL' }], target: jump('KUBE-NODEPORTS') },
  ];
  const established: Rule = {
    matches: [{ kind: 'conntrack', states: ['RELATED', 'ESTABLISHED'] }],
    target: { kind: 'accept' },
  };
  const portalHook: Rule = { matches: [comment('kubernetes service portals')], target: jump('KUBE-SERVICES') };
  const fresh: Rule = { matches: [{ kind: 'conntrack', states: ['NEW'] }], target: jump('KUBE-SERVICES') };
  return {
    owner: 'kube-proxy',
    family,
    bootId,
    base: null,
    tables: {
      nat: {
        set: nat,
        hooks: [
          hook('PREROUTING', portalHook),
          hook('OUTPUT', portalHook),
          hook('POSTROUTING', { target: jump('KUBE-POSTROUTING') }),
        ],
      },
      filter: {
        set: { 'KUBE-SERVICES': refused, 'KUBE-FORWARD': [established] },
        hooks: [hook('FORWARD', { target: jump('KUBE-FORWARD') }), hook('FORWARD', fresh), hook('OUTPUT', fresh)],
      },
    },
  };
}

function chooseBackend(service: TestService): Rule[] {
  const rules: Rule[] = [];
  const { backends, affinitySeconds } = service;
  if (affinitySeconds !== undefined) {
    backends.forEach((_, i) => {
      const list = endpointChain(service, i);
      rules.push({
        matches: [{ kind: 'recent', mode: 'rcheck', list, seconds: affinitySeconds, reap: true }],
        target: jump(list),
      });
    });
  }
  backends.forEach((_, i) => {
    const left = backends.length - i;
    rules.push({
      matches: left > 1 ? [{ kind: 'statistic', probability: 1 / left }] : [],
      target: jump(endpointChain(service, i)),
    });
  });
  return rules;
}

function endpointRules(service: TestService, backend: string, index: number): Rule[] {
  const [, text, port] = /^\[?(.*?)\]?:(\d+)$/.exec(backend)!;
  const address = parseAddress(text!)!;
  const list = endpointChain(service, index);
  return [
    { source: { address, prefixLength: addressBits(address) }, target: jump('KUBE-MARK-MASQ') },
    {
      protocol: { name: service.protocol },
      matches: service.affinitySeconds === undefined ? [] : [{ kind: 'recent', mode: 'set', list }],
      target: { kind: 'dnat', address, port: Number(port) },
    },
  ];
}

function endpointChain(service: TestService, index: number): string {
  return `KUBE-SEP-${service.name}-${index}`;
}
