/** `iptables` that changes rules, against what iptables 1.8.9 (nf_tables) answered to the same commands on Linux. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import type { PodAttachment } from '../datapath/pod-attachment.ts';
import type { KernelView } from '../images/image.ts';
import { nodeKernelView } from './kernel-view.ts';

const HINT = "\nTry `iptables -h' or 'iptables --help' for more information.\n";
const V = 'iptables v1.8.9 (nf_tables):';

let cluster: TestCluster;
let datapath: NodeDatapath;
let pod: PodAttachment;
let node: KernelView;

beforeEach(() => {
  cluster = new TestCluster();
  datapath = cluster.node(1);
  pod = datapath.attachPod({ id: 'default/web', address: 0x0af4_0105 });
  cluster.pod('10.244.2.7');
  node = nodeKernelView(datapath);
});

function run(command: string): string {
  const words = command.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', ''));
  const { stdout, stderr, code } = node.run(words);
  return `${stdout}${stderr}${code === 0 ? '' : `=> ${code}\n`}`;
}

function pings(): boolean {
  return cluster.ping(pod.host, { to: '10.244.2.7', timeoutUs: 1_900_000 }).kind === 'reply';
}

test('LOG writes into the kernel log, and goes on with the next rule', () => {
  expect(run('iptables -I FORWARD -p icmp -j LOG --log-prefix "icmp: " --log-level notice')).toBe('');
  expect(run('iptables -S FORWARD')).toContain('-A FORWARD -p icmp -j LOG --log-prefix "icmp: " --log-level 5\n');
  expect(run('iptables -L FORWARD')).toMatch(
    /^LOG +icmp -- +anywhere +anywhere +LOG flags 0 level 5 prefix "icmp: "$/m,
  );
  expect(pings()).toBe(true);
  const lines = run('dmesg -t').split('\n').slice(0, -1);
  expect(lines[0]).toMatch(
    /^icmp: IN=cni0 OUT=flannel\.1 .*SRC=10\.244\.1\.5 DST=10\.244\.2\.7 .*PROTO=ICMP TYPE=8 CODE=0 ID=\d+ SEQ=\d+ $/,
  );
  expect(lines[1]).toMatch(/^icmp: IN=flannel\.1 OUT=cni0 .*PROTO=ICMP TYPE=0 CODE=0 /);
  expect(run('iptables -D FORWARD -p icmp -j LOG --log-prefix "icmp: " --log-level 5')).toBe('');
  expect(run('iptables -A FORWARD -j LOG --log-level loud')).toContain('log-level "loud" unknown');
  expect(run('iptables -A FORWARD -j LOG')).toBe('');
  expect(run('iptables -S FORWARD')).toMatch(/^-A FORWARD -j LOG$/m);
});

test.each([
  ['-I FORWARD 9 -p tcp --dport 80 -j ACCEPT', 'iptables: Index of insertion too big.\n=> 1\n'],
  ['-C FORWARD -s 10.0.0.6 -j DROP', 'iptables: Bad rule (does a matching rule exist in that chain?).\n=> 1\n'],
  ['-D FORWARD -s 10.0.0.6 -j DROP', 'iptables: Bad rule (does a matching rule exist in that chain?).\n=> 1\n'],
  ['-D FORWARD 99', 'iptables: Index of deletion too big.\n=> 1\n'],
  ['-A NOPE -j DROP', 'iptables: No chain/target/match by that name.\n=> 1\n'],
  ['-A FORWARD -j NOPE', `${V} Chain 'NOPE' does not exist${HINT}=> 2\n`],
  ['-N FLANNEL-FWD', 'iptables: Chain already exists.\n=> 1\n'],
  ['-X FLANNEL-FWD', `${V}  CHAIN_DEL failed (Device or resource busy): chain FLANNEL-FWD\n=> 4\n`],
  ['-X NOPE', 'iptables: No chain/target/match by that name.\n=> 1\n'],
  ['-F NOPE', 'iptables: No chain/target/match by that name.\n=> 1\n'],
  [
    '-A FORWARD -j DNAT --to-destination 1.2.3.4',
    `${V}  RULE_APPEND failed (Invalid argument): rule in chain FORWARD\n=> 4\n`,
  ],
  [
    '-A FORWARD -j REJECT --reject-with tcp-reset',
    `${V}  RULE_APPEND failed (Invalid argument): rule in chain FORWARD\n=> 4\n`,
  ],
  ['-A FORWARD --dport 80 -j DROP', `${V} unknown option "--dport"${HINT}=> 2\n`],
  ['-A FORWARD -p tcp --dport 80:79 -j DROP', `${V} invalid portrange (min > max)${HINT}=> 2\n`],
  ['-A FORWARD -s 1.2.3.400 -j DROP', `${V} host/network \`1.2.3.400' not found${HINT}=> 2\n`],
  ['-A FORWARD -m nope -j DROP', `${V} Couldn't load match \`nope':No such file or directory\n${HINT}=> 2\n`],
  ['-A FORWARD -p icmp --icmp-type nosuch -j DROP', `${V} Unknown ICMP type \`nosuch'${HINT}=> 2\n`],
  ['-A FORWARD -p icmp --icmp-type constructor -j DROP', `${V} Unknown ICMP type \`constructor'${HINT}=> 2\n`],
  ['-A FORWARD -p tcp --tcp-flags FOO NONE -j DROP', `${V} Unknown TCP flag \`FOO'${HINT}=> 2\n`],
  ['-A FORWARD --syn -j DROP', `${V} unknown option "--syn"${HINT}=> 2\n`],
  ['-A FORWARD --icmp-type 8 -j DROP', `${V} unknown option "--icmp-type"${HINT}=> 2\n`],
  ['-A FORWARD -m set --match-set foo src -j DROP', `${V} Set foo doesn't exist.\n${HINT}=> 2\n`],
  ['-A FORWARD --bogus', `${V} unknown option "--bogus"${HINT}=> 2\n`],
  ['-A', `${V} option "-A" requires an argument${HINT}=> 2\n`],
  ['-P FORWARD NOPE', "iptables: Bad policy name. Run `dmesg' for more information.\n=> 1\n"],
])('refuses %s', (words, expected) => {
  expect(run(`iptables ${words}`)).toBe(expected);
});

test('what is added is listed as iptables-save writes it', () => {
  run('iptables -F');
  run('iptables -X');
  for (const rule of [
    '-A FORWARD -s 10.0.0.5 -j DROP',
    '-I FORWARD 1 -p tcp --dport 81 -j ACCEPT',
    '-A FORWARD -p icmp -m comment --comment "no ping" -j REJECT',
    '-A FORWARD -p tcp -m multiport --dports 80,443,8000:8080 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT',
    '-A FORWARD -m statistic --mode random --probability 0.5 -j DROP',
    '-A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
    '-N FOO',
    '-A FORWARD -i eth0 ! -o cni0 -g FOO',
    '-t nat -F',
    '-t nat -X',
    '-t nat -A POSTROUTING -s 10.0.0.0/8 ! -d 10.0.0.0/255.0.0.0 -o eth0 -j MASQUERADE',
    '-t nat -A PREROUTING -p tcp -d 10.1.1.1 --dport 80 -j DNAT --to-destination 10.2.2.2:8080',
    '-t mangle -A PREROUTING -j MARK --set-mark 0x10',
    '-P FORWARD DROP',
  ]) {
    expect(run(`iptables ${rule}`)).toBe('');
  }
  expect(run('iptables -S')).toBe(`-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-N FOO
-A FORWARD -p tcp -m tcp --dport 81 -j ACCEPT
-A FORWARD -s 10.0.0.5/32 -j DROP
-A FORWARD -p icmp -m comment --comment "no ping" -j REJECT --reject-with icmp-port-unreachable
-A FORWARD -p tcp -m multiport --dports 80,443,8000:8080 -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT
-A FORWARD -m statistic --mode random --probability 0.50000000000 -j DROP
-A FORWARD -p tcp -j REJECT --reject-with tcp-reset
-A FORWARD -i eth0 ! -o cni0 -g FOO
`);
  expect(
    run('iptables -t nat -S'),
  ).toContain(`-A PREROUTING -d 10.1.1.1/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.2.2.2:8080
-A POSTROUTING -s 10.0.0.0/8 ! -d 10.0.0.0/8 -o eth0 -j MASQUERADE
`);
  expect(run('iptables -t mangle -S PREROUTING')).toContain('-A PREROUTING -j MARK --set-xmark 0x10/0xffffffff\n');
  expect(run('iptables -C FORWARD -s 10.0.0.5 -j DROP')).toBe('');
  expect(run('iptables-save -t filter')).toContain(':FORWARD DROP [');
});

describe('packets', () => {
  test('a rule that drops takes hold of what was established, and counts', () => {
    expect(pings()).toBe(true);
    expect(run('iptables -I FORWARD -s 10.244.1.5 -p icmp -j DROP')).toBe('');
    expect(pings()).toBe(false);
    expect(run('iptables -L FORWARD 1 -n -v')).toMatch(/^ {4}1 {4}84 DROP /);
    expect(run('iptables -Z FORWARD')).toBe('');
    expect(run('iptables -L FORWARD 1 -n -v')).toMatch(/^ {4}0 {5}0 DROP /);
    expect(run('iptables -D FORWARD -s 10.244.1.5 -p icmp -j DROP')).toBe('');
    expect(pings()).toBe(true);
  });

  test('with the policy DROP only what a rule accepts passes', () => {
    expect(run('iptables -P FORWARD DROP')).toBe('');
    expect(pings()).toBe(true);
    expect(run('iptables -F FLANNEL-FWD')).toBe('');
    expect(pings()).toBe(false);
    expect(run('iptables -F FORWARD')).toBe('');
    expect(run('iptables -Z FORWARD')).toBe('');
    expect(pings()).toBe(false);
    expect(run('iptables -L FORWARD -n -v')).toMatch(/^Chain FORWARD \(policy DROP 1 packets, 84 bytes\)/);
    expect(run('iptables -P FORWARD ACCEPT')).toBe('');
    expect(pings()).toBe(true);
  });
});

describe('owners', () => {
  const rule = { destination: { address: 0x0af4_0000, prefixLength: 16 }, target: { kind: 'accept' } } as const;
  const hooks = [{ chain: 'FORWARD', position: 'first', rule: { target: { kind: 'jump', chain: 'KUBE-X' } } }] as const;
  const whole = () =>
    datapath.applyRules({
      owner: 'kube-proxy',
      bootId: '',
      base: null,
      tables: { filter: { set: { 'KUBE-X': [rule] }, hooks } },
    });

  test('keep what an administrator added, and give back what he took when they next send everything', () => {
    const first = whole();
    expect(first).toMatchObject({ kind: 'applied' });
    run('iptables -I FORWARD -s 10.0.0.5 -j DROP');
    run('iptables -D FORWARD -j KUBE-X');
    run('iptables -F KUBE-X');
    expect(run('iptables -S FORWARD')).not.toContain('KUBE-X');
    const { generation } = first as { generation: number };
    const part = { set: { 'KUBE-Y': [] } };
    const reply = datapath.applyRules({
      owner: 'kube-proxy',
      bootId: datapath.bootId,
      base: generation,
      tables: { filter: part },
    });
    expect(reply).toMatchObject({ kind: 'applied' });
    expect(run('iptables -S FORWARD')).not.toContain('KUBE-X');
    whole();
    expect(run('iptables -S FORWARD')).toMatch(/-A FORWARD -j KUBE-X\n-A FORWARD -s 10\.0\.0\.5\/32 -j DROP\n/);
    expect(run('iptables -S KUBE-X')).toContain('-A KUBE-X -d 10.244.0.0/16 -j ACCEPT');
  });
});

describe('extensions', () => {
  test('of ICMP, of flags and of addresses seen are listed as iptables lists them', () => {
    for (const rule of [
      '-F',
      '-A INPUT -p icmp --icmp-type echo-request -j DROP',
      '-A INPUT -p icmp ! --icmp-type 3/4 -j ACCEPT',
      '-A INPUT -p tcp --syn --dport 80 -j ACCEPT',
      '-A INPUT -p tcp ! --syn -j ACCEPT',
      '-A INPUT -p tcp --tcp-flags ALL NONE -j DROP',
      '-A INPUT -m recent --name ssh --set',
      '-A INPUT -m recent --name ssh --update --seconds 60 -j DROP',
      '-A INPUT -m recent --rcheck -j DROP',
    ]) {
      expect([rule, run(`iptables ${rule}`)]).toEqual([rule, '']);
    }
    expect(run('iptables -S INPUT')).toBe(`-P INPUT ACCEPT
-A INPUT -p icmp -m icmp --icmp-type 8 -j DROP
-A INPUT -p icmp -m icmp ! --icmp-type 3/4 -j ACCEPT
-A INPUT -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT
-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT
-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE -j DROP
-A INPUT -m recent --set --name ssh --mask 255.255.255.255 --rsource
-A INPUT -m recent --update --seconds 60 --name ssh --mask 255.255.255.255 --rsource -j DROP
-A INPUT -m recent --rcheck --name DEFAULT --mask 255.255.255.255 --rsource -j DROP
`);
    const told = (command: string) =>
      run(command)
        .split('\n')
        .slice(2, 7)
        .map((line) => line.slice(54).trim());
    expect(told('iptables -L INPUT -n')).toEqual([
      'icmptype 8',
      'icmp !type 3 code 4',
      'tcp dpt:80 flags:0x17/0x02',
      'tcp flags:!0x17/0x02',
      'tcp flags:0x3F/0x00',
    ]);
    expect(told('iptables -L INPUT').filter((_, at) => at !== 2)).toEqual([
      'icmp echo-request',
      'icmp !fragmentation-needed',
      'tcp flags:!FIN,SYN,RST,ACK/SYN',
      'tcp flags:FIN,SYN,RST,PSH,ACK,URG/NONE',
    ]);
    run('ip6tables -A INPUT -p icmpv6 --icmpv6-type echo-request -j DROP');
    expect(run('ip6tables -S INPUT')).toContain('-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j DROP\n');
  });

  test('one kind of ICMP is dropped, and another is not', () => {
    expect(pings() || pings()).toBe(true);
    run('iptables -I FORWARD -p icmp --icmp-type echo-reply -j DROP');
    expect(pings()).toBe(false);
    run('iptables -R FORWARD 1 -p icmp --icmp-type 3/4 -j DROP');
    expect(pings()).toBe(true);
  });

  test('connections that come are dropped by their SYN, those that are there go on', () => {
    cluster.pod('10.244.2.8').host.tcp.listen({ port: 80 });
    const connect = () => pod.host.tcp.connect({ remoteAddress: 0x0af4_0208, remotePort: 80 });
    const present = connect();
    cluster.advance(500_000);
    run('iptables -I FORWARD -p tcp --syn -d 10.244.2.8 -j DROP');
    present.write(new Uint8Array(1000));
    const late = connect();
    cluster.advance(1_500_000);
    expect([present.state, present.sendQueueBytes, late.state]).toEqual(['ESTABLISHED', 0, 'SYN-SENT']);
  });

  test('who was seen is let through for a while', () => {
    run('iptables -I FORWARD -p icmp -m recent --name seen ! --rcheck --seconds 3 -j DROP');
    expect(pings()).toBe(false);
    run('iptables -t mangle -A PREROUTING -p icmp -m recent --name seen --set');
    expect(pings()).toBe(true);
    run('iptables -t mangle -D PREROUTING -p icmp -m recent --name seen --set');
    cluster.advance(4_000_000);
    expect(pings()).toBe(false);
  });
});
