/**
 * The table form of `iptables -L`, against what iptables 1.8.9 (nf_tables) printed in a network namespace of Linux for the same
 * rules. The rules stand in the tests as `iptables -A` took them there.
 */
import { describe, expect, it } from 'vitest';
import { parseAddress, parsePrefix } from '../wire/ip-address.ts';
import { iptablesList, type ListOptions } from './iptables-list.ts';
import type { Rule } from './rule.ts';
import { emptyRuleset, type Ruleset } from './ruleset.ts';
import type { TableName } from './table.ts';

const CHECKED_HEADING = ' pkts bytes target     prot opt in     out     source               destination         ';

function rulesetWith(table: TableName, chains: Readonly<Record<string, readonly Rule[]>>): Ruleset {
  const ruleset = emptyRuleset('boot');
  const made = new Map(ruleset.tables[table].chains);
  for (const [name, rules] of Object.entries(chains)) made.set(name, { name, owner: 'test', rules });
  return { ...ruleset, tables: { ...ruleset.tables, [table]: { ...ruleset.tables[table], chains: made } } };
}

function list(table: TableName, chains: Readonly<Record<string, readonly Rule[]>>, options: Partial<ListOptions> = {}) {
  return iptablesList(rulesetWith(table, chains), {
    family: 'ipv4',
    table,
    verbose: true,
    numeric: true,
    exact: false,
    lineNumbers: false,
    counters: () => ({ packets: 0, bytes: 0 }),
    ...options,
  });
}

/** The lines of one chain's rules. */
function rows(rules: readonly Rule[], options: Partial<ListOptions> = {}): string[] {
  return list('filter', { CHAIN: rules }, { chain: 'CHAIN', ...options })
    .split('\n')
    .slice(2, -1);
}

const tcp = { name: 'tcp' } as const;

describe('a rule with counters and devices', () => {
  const cases: readonly (readonly [string, Rule, string])[] = [
    [
      '-d 10.96.0.10/32 -p tcp -m comment --comment "default/web:http has no endpoints" -m tcp --dport 80 -j REJECT',
      {
        destination: parsePrefix('10.96.0.10/32')!,
        protocol: tcp,
        matches: [
          { kind: 'comment', comment: 'default/web:http has no endpoints' },
          { kind: 'tcp', destination: { first: 80, last: 80 } },
        ],
        target: { kind: 'reject', with: 'icmp-port-unreachable' },
      },
      '    0     0 REJECT     6    --  *      *       0.0.0.0/0            10.96.0.10           /* default/web:http has no endpoints */ tcp dpt:80 reject-with icmp-port-unreachable',
    ],
    [
      '! -s 10.244.0.0/16 -i eth0 ! -o cni0 -p udp -m udp --sport 1000:2000 ! --dport 53 -j RETURN',
      {
        source: { ...parsePrefix('10.244.0.0/16')!, negated: true },
        inDevice: { name: 'eth0' },
        outDevice: { name: 'cni0', negated: true },
        protocol: { name: 'udp' },
        matches: [
          {
            kind: 'udp',
            source: { first: 1000, last: 2000 },
            destination: { first: 53, last: 53 },
            destinationNegated: true,
          },
        ],
        target: { kind: 'return' },
      },
      '    0     0 RETURN     17   --  eth0   !cni0  !10.244.0.0/16        0.0.0.0/0            udp spts:1000:2000 dpt:!53',
    ],
    [
      '-p tcp -m multiport --sports 80,443 -g EMPTY',
      {
        protocol: tcp,
        matches: [
          {
            kind: 'multiport',
            side: 'source',
            ports: [
              { first: 80, last: 80 },
              { first: 443, last: 443 },
            ],
          },
        ],
        target: { kind: 'goto', chain: 'EMPTY' },
      },
      '    0     0 EMPTY      6    --  *      *       0.0.0.0/0            0.0.0.0/0           [goto]  multiport sports 80,443',
    ],
    [
      '! -p icmp -j DROP',
      { protocol: { name: 'icmp', negated: true }, target: { kind: 'drop' } },
      '    0     0 DROP      !1    --  *      *       0.0.0.0/0            0.0.0.0/0           ',
    ],
    [
      '-m addrtype ! --src-type LOCAL -j ACCEPT',
      {
        matches: [{ kind: 'addrtype', side: 'source', type: 'LOCAL', negated: true }],
        target: { kind: 'accept' },
      },
      '    0     0 ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0            ADDRTYPE match src-type !LOCAL',
    ],
    [
      '-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-AAA -j ACCEPT',
      {
        matches: [{ kind: 'recent', mode: 'rcheck', list: 'KUBE-SEP-AAA', seconds: 10_800, reap: true }],
        target: { kind: 'accept' },
      },
      '    0     0 ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0            recent: CHECK seconds: 10800 reap name: KUBE-SEP-AAA side: source mask: 255.255.255.255',
    ],
    [
      '-m physdev ! --physdev-is-in -j ACCEPT',
      { matches: [{ kind: 'physdev', test: { kind: 'is-in' }, negated: true }], target: { kind: 'accept' } },
      '    0     0 ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0            PHYSDEV match ! --physdev-is-in',
    ],
    [
      '-d 10.244.1.0/24',
      { destination: parsePrefix('10.244.1.0/24')! },
      '    0     0            0    --  *      *       0.0.0.0/0            10.244.1.0/24       ',
    ],
    [
      '-m mark ! --mark 0x4000/0x4000 -j RETURN',
      { matches: [{ kind: 'mark', value: 0x4000, mask: 0x4000, negated: true }], target: { kind: 'return' } },
      '    0     0 RETURN     0    --  *      *       0.0.0.0/0            0.0.0.0/0            mark match ! 0x4000/0x4000',
    ],
    [
      '-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      { matches: [{ kind: 'conntrack', states: ['RELATED', 'ESTABLISHED'] }], target: { kind: 'accept' } },
      '    0     0 ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0            ctstate RELATED,ESTABLISHED',
    ],
    [
      '-m statistic --mode random --probability 0.33333333349 -j KUBE-SEP',
      { matches: [{ kind: 'statistic', probability: 1 / 3 }], target: { kind: 'jump', chain: 'KUBE-SEP' } },
      '    0     0 KUBE-SEP   0    --  *      *       0.0.0.0/0            0.0.0.0/0            statistic mode random probability 0.33333333349',
    ],
    [
      '-p tcp -m tcp -j DNAT --to-destination 10.244.1.5:80',
      {
        protocol: tcp,
        matches: [{ kind: 'tcp' }],
        target: { kind: 'dnat', address: parseAddress('10.244.1.5')!, port: 80 },
      },
      '    0     0 DNAT       6    --  *      *       0.0.0.0/0            0.0.0.0/0            tcp to:10.244.1.5:80',
    ],
    [
      '-j MARK --set-xmark 0x4000/0x4000',
      { target: { kind: 'mark', value: 0x4000, mask: 0x4000 } },
      '    0     0 MARK       0    --  *      *       0.0.0.0/0            0.0.0.0/0            MARK or 0x4000',
    ],
    [
      '-j MARK --set-xmark 0x4000/0x0',
      { target: { kind: 'mark', value: 0x4000, mask: 0 } },
      '    0     0 MARK       0    --  *      *       0.0.0.0/0            0.0.0.0/0            MARK xor 0x4000',
    ],
    [
      '-j MASQUERADE --random-fully',
      { target: { kind: 'masquerade', randomFully: true } },
      '    0     0 MASQUERADE  0    --  *      *       0.0.0.0/0            0.0.0.0/0            random-fully',
    ],
    [
      '-j SNAT --to-source 192.168.1.10 --random-fully',
      { target: { kind: 'snat', address: parseAddress('192.168.1.10')!, randomFully: true } },
      '    0     0 SNAT       0    --  *      *       0.0.0.0/0            0.0.0.0/0            to:192.168.1.10 random-fully',
    ],
  ];

  it.each(cases)('%s', (_, rule, line) => {
    expect(rows([rule])).toEqual([line]);
  });

  it('of ip6tables', () => {
    const rule: Rule = {
      source: parsePrefix('fd00::/64')!,
      inDevice: { name: 'eth0' },
      protocol: tcp,
      matches: [{ kind: 'tcp', destination: { first: 80, last: 80 } }],
      target: { kind: 'reject', with: 'icmp6-port-unreachable' },
    };
    expect(rows([rule], { family: 'ipv6' })).toEqual([
      '    0     0 REJECT     6    --  eth0   *       fd00::/64            ::/0                 tcp dpt:80 reject-with icmp6-port-unreachable',
    ]);
  });
});

describe('the table', () => {
  const accept: Rule = { target: { kind: 'accept' } };
  const counted = [
    [123_456, 99_999_999],
    [99_999, 100_000],
    [9_999_499, 9_999_500_000],
    [10_000_000_000, 99_999_500_000_000],
  ] as const;
  const counters = (_chain: string, index: number) => {
    const [packets, bytes] = counted[index] ?? [0, 0];
    return { packets, bytes };
  };

  it('shortens counters, unless with -x', () => {
    const rules = counted.map(() => accept);
    const end = 'ACCEPT     0    --  *      *       0.0.0.0/0            0.0.0.0/0           ';
    expect(rows(rules, { counters })).toEqual([
      ` 123K  100M ${end}`,
      `99999  100K ${end}`,
      `9999K   10G ${end}`,
      `  10G  100T ${end}`,
    ]);
    expect(rows(rules, { counters, exact: true })[0]).toBe(`  123456 99999999 ${end}`);
    expect(rows(rules, { counters, lineNumbers: true })[0]).toBe(`1     123K  100M ${end}`);
  });

  it('has a heading for each chain: built-in ones first, then the others by name, with their references', () => {
    const text = list('nat', {
      'KUBE-SVC': [],
      EMPTY: [],
      PREROUTING: [{ target: { kind: 'jump', chain: 'KUBE-SVC' } }],
    });
    expect(text.split('\n').filter((line) => line.startsWith('Chain '))).toEqual([
      'Chain PREROUTING (policy ACCEPT 0 packets, 0 bytes)',
      'Chain INPUT (policy ACCEPT 0 packets, 0 bytes)',
      'Chain OUTPUT (policy ACCEPT 0 packets, 0 bytes)',
      'Chain POSTROUTING (policy ACCEPT 0 packets, 0 bytes)',
      'Chain EMPTY (0 references)',
      'Chain KUBE-SVC (1 references)',
    ]);
    expect(text.split('\n')[1]).toBe(CHECKED_HEADING);
    expect(text).toContain('\n\nChain INPUT');
  });

  it('without -v has neither counters nor devices, and with -n neither names', () => {
    const rule: Rule = {
      source: { ...parsePrefix('10.244.0.0/16')!, negated: true },
      protocol: { name: 'udp' },
      target: { kind: 'return' },
    };
    const options = { chain: 'CHAIN', verbose: false } as const;
    expect(list('filter', { CHAIN: [rule, accept] }, options)).toBe(
      'Chain CHAIN (0 references)\n' +
        'target     prot opt source               destination         \n' +
        'RETURN     17   -- !10.244.0.0/16        0.0.0.0/0           \n' +
        'ACCEPT     0    --  0.0.0.0/0            0.0.0.0/0           \n',
    );
    expect(list('filter', { CHAIN: [rule, accept] }, { ...options, numeric: false, lineNumbers: true })).toBe(
      'Chain CHAIN (0 references)\n' +
        'num  target     prot opt source               destination         \n' +
        '1    RETURN     udp  -- !10.244.0.0/16        anywhere            \n' +
        '2    ACCEPT     all  --  anywhere             anywhere            \n',
    );
  });

  it('shows one rule without headings', () => {
    const text = list('filter', { CHAIN: [accept, { target: { kind: 'drop' } }] }, { chain: 'CHAIN', rule: 2 });
    expect(text).toBe('    0     0 DROP       0    --  *      *       0.0.0.0/0            0.0.0.0/0           \n');
  });
});
