import { describe, expect, it } from 'vitest';
import { iptablesSave } from './iptables-save.ts';
import { comment, destinationPort } from './match.ts';
import type { Rule } from './rule.ts';
import { applyTransaction, emptyRuleset } from './ruleset.ts';
import { jump, orMark, xorMark } from './target.ts';

const dns = 0x0a60000a;
const backend = 0x0af40002;
const podCidr = { address: 0x0af40000, prefixLength: 16 };

const services: readonly Rule[] = [
  {
    destination: { address: dns, prefixLength: 32 },
    protocol: { name: 'udp' },
    matches: [comment('kube-system/kube-dns:dns cluster IP'), destinationPort('udp', 53)],
    target: jump('KUBE-SVC-TCOU7JCQXEZGVUNU'),
  },
  {
    matches: [comment('nodeports'), { kind: 'addrtype', side: 'destination', type: 'LOCAL' }],
    target: jump('KUBE-NODEPORTS'),
  },
];

const service: readonly Rule[] = [
  {
    source: { ...podCidr, negated: true },
    destination: { address: dns, prefixLength: 32 },
    protocol: { name: 'udp' },
    matches: [destinationPort('udp', 53)],
    target: jump('KUBE-MARK-MASQ'),
  },
  {
    matches: [{ kind: 'recent', mode: 'rcheck', list: 'KUBE-SEP-A', seconds: 10800, reap: true }],
    target: jump('KUBE-SEP-A'),
  },
  { matches: [{ kind: 'statistic', probability: 1 / 3 }], target: jump('KUBE-SEP-A') },
];

const postrouting: readonly Rule[] = [
  { matches: [{ kind: 'mark', value: 0x4000, mask: 0x4000, negated: true }], target: { kind: 'return' } },
  { target: xorMark(0x4000) },
  { inDevice: { name: 'veth+', negated: true }, target: { kind: 'masquerade', randomFully: true } },
];

const { ruleset } = applyTransaction(emptyRuleset('b'), {
  owner: 'kube-proxy',
  bootId: 'b',
  base: null,
  tables: {
    nat: {
      set: {
        'KUBE-SVC-TCOU7JCQXEZGVUNU': service,
        'KUBE-SERVICES': services,
        'KUBE-NODEPORTS': [],
        'KUBE-MARK-MASQ': [{ target: orMark(0x4000) }],
        'KUBE-SEP-A': [
          {
            protocol: { name: 'udp' },
            matches: [{ kind: 'udp' }],
            target: { kind: 'dnat', address: backend, port: 53 },
          },
        ],
        'KUBE-POSTROUTING': postrouting,
      },
      hooks: [{ chain: 'PREROUTING', position: 'first', rule: { target: jump('KUBE-SERVICES') } }],
    },
    filter: {
      set: {
        'KUBE-FORWARD': [
          { matches: [{ kind: 'conntrack', states: ['RELATED', 'ESTABLISHED'] }], target: { kind: 'accept' } },
          { protocol: { name: 'tcp' }, target: { kind: 'reject', with: 'icmp-port-unreachable' } },
        ],
      },
    },
  },
});

describe('iptablesSave', () => {
  it('prints the nat table as iptables-save does', () => {
    expect(iptablesSave(ruleset, { table: 'nat' })).toBe(`*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-TCOU7JCQXEZGVUNU - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING ! -i veth+ -j MASQUERADE --random-fully
-A KUBE-SEP-A -p udp -m udp -j DNAT --to-destination 10.244.0.2:53
-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "kube-system/kube-dns:dns cluster IP" -m udp --dport 53 -j KUBE-SVC-TCOU7JCQXEZGVUNU
-A KUBE-SERVICES -m comment --comment nodeports -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-SVC-TCOU7JCQXEZGVUNU ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ
-A KUBE-SVC-TCOU7JCQXEZGVUNU -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource -j KUBE-SEP-A
-A KUBE-SVC-TCOU7JCQXEZGVUNU -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A
COMMIT
`);
  });

  it('prints counters in front of rules when asked', () => {
    const text = iptablesSave(ruleset, {
      table: 'filter',
      counters: (_table, chain, index) => ({ packets: chain === 'KUBE-FORWARD' ? 7 : 1, bytes: 10 + index }),
    });
    expect(text).toContain(':INPUT ACCEPT [1:9]\n');
    expect(text).toContain('[7:10] -A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n');
    expect(text).toContain('[7:11] -A KUBE-FORWARD -p tcp -j REJECT --reject-with icmp-port-unreachable\n');
  });

  it('prints all tables, each closed by COMMIT', () => {
    expect(iptablesSave(ruleset).match(/^(\*\w+|COMMIT)$/gm)).toEqual([
      '*mangle',
      'COMMIT',
      '*filter',
      'COMMIT',
      '*nat',
      'COMMIT',
    ]);
  });
});
