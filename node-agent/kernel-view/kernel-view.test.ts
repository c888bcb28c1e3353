import { beforeAll, describe, expect, test } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { TestNetwork } from '../../shared/netstack/network.testkit.ts';
import { parseIpv4, parseIpv4Prefix } from '../../shared/wire/address.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { UnderlayLink } from '../datapath/link.ts';
import { vxlanNetwork } from '../datapath/network/bridged-network.ts';
import { NodeDatapath } from '../datapath/path.ts';
import type { KernelView } from '../images/image.ts';
import { nodeKernelView, podKernelView } from './kernel-view.ts';

/** Leads nowhere. */
const link: UnderlayLink = {
  local: { address: '127.0.1.10', port: 4789 },
  onReceive: null,
  addPeer: () => 1,
  removePeer: () => undefined,
  send: () => undefined,
  close: () => undefined,
};

let node: KernelView;
let pod: KernelView;

beforeAll(() => {
  const engine = new EventEngine({ random: () => 0.5 });
  const datapath = new NodeDatapath({
    engine,
    memory: new PacketMemory({ smallSlots: 64, largeSlots: 1 }),
    nodeName: 'worker-1',
    internalIp: parseIpv4('192.168.1.10')!,
    clusterCidr: parseIpv4Prefix('10.244.0.0/16')!,
    link,
    bootId: 'boot',
    secret: new Uint8Array(16),
  });
  datapath.use(vxlanNetwork);
  datapath.setPodCidr(parseIpv4Prefix('10.244.1.0/24')!);
  datapath.setPeer({
    nodeName: 'worker-2',
    internalIp: parseIpv4('192.168.1.11')!,
    endpoint: { address: '127.0.1.11', port: 4789 },
    podCidr: parseIpv4Prefix('10.244.2.0/24')!,
    vtepMac: 0x0200_0000_0001,
    underlayMac: 0x0242_c0a8_010b,
  });
  const attached = datapath.attachPod({
    id: 'default/web',
    address: parseIpv4('10.244.1.5')!,
    hostDeviceName: 'veth1',
  });
  attached.host.tcp.listen({ port: 80 });
  attached.host.udp.bind({ port: 53 });
  node = nodeKernelView(datapath);
  pod = podKernelView(attached.host);
});

function fails(view: KernelView, command: string): string {
  const { stderr, code } = view.run(command.split(' '));
  expect(code).not.toBe(0);
  return stderr;
}

function out(view: KernelView, command: string): string {
  const { stdout, stderr, code } = view.run(command.split(' '));
  expect([stderr.replace(/^conntrack v.*\n/, ''), code]).toEqual(['', 0]);
  return stdout;
}

describe('a pod', () => {
  test.each(['ip addr', 'ip a', 'ip -4 addr show', 'ip address list dev eth0', 'ip a s eth0'])('%s', (command) => {
    expect(out(pod, command)).toContain('inet 10.244.1.5/24 brd 10.244.1.255 scope global eth0');
  });

  test('shows one device, or says that there is none', () => {
    expect(out(pod, 'ip link show lo')).not.toContain('eth0');
    expect(pod.run(['ip', 'link', 'show', 'eth9'])).toEqual({
      stdout: '',
      stderr: 'Device "eth9" does not exist.\n',
      code: 1,
    });
  });

  test('shows routes, and the one to an address', () => {
    expect(out(pod, 'ip route')).toContain('default via 10.244.1.1 dev eth0');
    expect(out(pod, 'ip r get 10.96.0.10')).toContain('10.96.0.10 via 10.244.1.1 dev eth0 src 10.244.1.5');
    expect(pod.run(['ip', 'route', 'get', 'nonsense']).code).toBe(1);
  });

  test('as JSON', () => {
    const [first] = JSON.parse(out(pod, 'ip -j addr show eth0')) as { ifname: string; mtu: number }[];
    expect(first).toMatchObject({ ifname: 'eth0', mtu: 1450 });
  });

  test('lists sockets as ss and netstat do', () => {
    expect(out(pod, 'ss -tlnp')).toBe(
      'State  Recv-Q Send-Q Local Address:Port Peer Address:PortProcess\n' +
        'LISTEN 0      511          0.0.0.0:80        0.0.0.0:*          \n',
    );
    expect(out(pod, 'ss -tln sport = :80')).toContain('LISTEN');
    expect(out(pod, 'ss -tln sport = :81')).not.toContain('LISTEN');
    expect(pod.run(['ss', '-tan', 'state', 'bogus'])).toMatchObject({
      stderr: 'ss: wrong state name: bogus\n',
      code: 255,
    });
    expect(out(pod, 'ss -uan')).toContain('UNCONN');
    expect(out(pod, 'ss -tn').split('\n').length).toBe(2);
    expect(out(pod, 'netstat -lnt')).toMatch(/tcp +0 +511 +0\.0\.0\.0:80 +0\.0\.0\.0:\* +LISTEN/);
  });

  test("may not look at what is the node's", () => {
    expect(fails(pod, 'iptables-save')).toBe(
      'iptables-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)\n',
    );
    expect(fails(pod, 'conntrack -L')).toContain('sorry, you must be root or get CAP_NET_ADMIN capability to do this');
    expect(pod.run(['ip', 'nonsense']).stderr).toBe('Object "nonsense" is unknown, try "ip help".\n');
  });
});

describe('a node', () => {
  test('shows the way to its peers: one route, one neighbour, one FDB entry', () => {
    expect(out(node, 'ip route')).toContain('10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink');
    expect(out(node, 'ip neigh show dev flannel.1')).toContain('10.244.2.0 lladdr 02:00:00:00:00:01 PERMANENT');
    expect(out(node, 'bridge fdb show dev flannel.1')).toContain(
      '02:00:00:00:00:01 dev flannel.1 dst 192.168.1.11 self permanent',
    );
  });

  test('shows its bridge', () => {
    expect(out(node, 'bridge link')).toContain('master cni0');
    expect(out(node, 'ip -d link show cni0')).toContain('bridge');
  });

  test('saves its rules, and lists a table or a chain', () => {
    expect(out(node, 'iptables-save -t nat')).toContain(
      '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
    );
    expect(out(node, 'iptables -t nat -S FLANNEL-POSTRTG').split('\n')[0]).toBe('-N FLANNEL-POSTRTG');
    expect(node.run(['iptables', '-t', 'nat', '-S', 'NONE']).code).toBe(1);
    expect(out(node, 'iptables -S FORWARD').split('\n')[0]).toBe('-P FORWARD ACCEPT');
    expect(out(node, 'iptables -vS OUTPUT')).toBe('-P OUTPUT ACCEPT -c 0 0\n');
    expect(out(node, 'iptables -t nat -nvL POSTROUTING --line-numbers')).toContain(
      'num   pkts bytes target     prot opt in     out     source               destination         \n1        0     0 FLANNEL-POSTRTG  0    --  *',
    );
    expect(out(node, 'iptables -t nat -L POSTROUTING 1 -n')).toBe(
      'FLANNEL-POSTRTG  0    --  0.0.0.0/0            0.0.0.0/0            /* flanneld masq */\n',
    );
    expect(node.run(['iptables', '-L', '-n', 'INPUT']).stderr).toContain("Bad argument `INPUT'");
    expect(node.run(['iptables', '-t', 'bad', '-L'])).toMatchObject({
      stderr: expect.stringContaining("table 'bad' does not exist"),
      code: 3,
    });
    expect(node.run(['iptables', '-A', 'NOPE']).stderr).toBe('iptables: No chain/target/match by that name.\n');
    expect(node.run(['iptables-save', '-t', 'raw']).code).toBe(2);
  });

  test('counts connections', () => {
    expect(out(node, 'conntrack -C')).toBe('0\n');
    expect(node.run(['conntrack', '-L']).stderr).toContain('0 flow entries have been shown');
  });
});

describe('sysctl', () => {
  test('reads what the stack goes by, by either spelling', () => {
    expect(out(pod, 'sysctl net.ipv4.tcp_congestion_control')).toBe('net.ipv4.tcp_congestion_control = cubic\n');
    expect(out(pod, 'sysctl -n net/ipv4/tcp_available_congestion_control')).toBe('reno cubic\n');
    expect(out(node, 'sysctl -a')).toContain('net.ipv4.ip_forward = 1\n');
  });

  test('sets on a node, and not in a pod', () => {
    expect(out(node, 'sysctl -w net.ipv4.tcp_congestion_control=reno')).toBe(
      'net.ipv4.tcp_congestion_control = reno\n',
    );
    expect(out(node, 'sysctl -n net.ipv4.tcp_congestion_control')).toBe('reno\n');
    expect(fails(pod, 'sysctl -w net.ipv4.tcp_congestion_control=reno')).toBe(
      'sysctl: setting key "net.ipv4.tcp_congestion_control", ignoring: Read-only file system\n',
    );
  });

  test('says what is wrong', () => {
    expect(fails(node, 'sysctl net.ipv4.tcp_fast')).toBe(
      'sysctl: cannot stat /proc/sys/net/ipv4/tcp_fast: No such file or directory\n',
    );
    expect(fails(node, 'sysctl net.ipv4.tcp_sack=2')).toBe(
      'sysctl: setting key "net.ipv4.tcp_sack": Invalid argument\n',
    );
  });
});

test('ss -i shows what TCP goes by, under each connection', () => {
  const net = new TestNetwork();
  const host = net.host('a');
  host.tcp.settings.congestionControl = 'reno';
  host.tcp.listen({ port: 80 }).onConnection = (connection) => connection.pause();
  const loopback = parseIpv4('127.0.0.1')!;
  const connection = host.tcp.connect({ remoteAddress: loopback, remotePort: 80 });
  net.settle();
  connection.write(new Uint8Array(5));
  net.settle();
  const lines = out(podKernelView(host), 'ss -tiH').trimEnd().split('\n');
  expect(lines.filter((line) => line.startsWith('ESTAB'))).toHaveLength(2);
  expect(lines.some((line) => /^ESTAB 5 +0 +127\.0\.0\.1:80 +127\.0\.0\.1:\d+$/.test(line))).toBe(true);
  const client = lines.find((line) => line.includes('bytes_sent:5'));
  expect(client).toMatch(
    /^\t ts sack reno wscale:5,5 rto:\d+ rtt:\S+ mss:65483 pmtu:65535 cwnd:\d+ bytes_sent:5 bytes_received:0 segs_out:\d+ segs_in:\d+ unacked:1 minrtt:\S+$/,
  );
});

describe('in the format of the originals', () => {
  test('ip -br', () => {
    expect(out(pod, 'ip -br -4 addr')).toBe(
      'lo               UNKNOWN        127.0.0.1/8 \neth0@if5         UP             10.244.1.5/24 \n',
    );
    expect(out(pod, 'ip -br link show lo')).toBe(
      'lo               UNKNOWN        00:00:00:00:00:00 <LOOPBACK,UP,LOWER_UP> \n',
    );
  });

  test('ip -o', () => {
    expect(out(pod, 'ip -o -4 addr')).toBe(
      '1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n' +
        '2: eth0    inet 10.244.1.5/24 brd 10.244.1.255 scope global eth0\\       valid_lft forever preferred_lft forever\n',
    );
    expect(out(pod, 'ip -o link show lo')).toBe(
      '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\\    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n',
    );
    expect(out(node, 'ip rule')).toContain('32766:\tfrom all lookup main\n');
  });

  test('route and netstat -rn', () => {
    expect(out(pod, 'route -n')).toBe(
      [
        'Kernel IP routing table',
        'Destination     Gateway         Genmask         Flags Metric Ref    Use Iface',
        '0.0.0.0         10.244.1.1      0.0.0.0         UG    0      0        0 eth0',
        '10.244.0.0      10.244.1.1      255.255.0.0     UG    0      0        0 eth0',
        '10.244.1.0      0.0.0.0         255.255.255.0   U     0      0        0 eth0',
        '',
      ].join('\n'),
    );
    expect(out(pod, 'netstat -rn')).toContain(
      'Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n0.0.0.0         10.244.1.1      0.0.0.0         UG        0 0          0 eth0\n',
    );
  });

  test('arp', () => {
    expect(out(node, 'arp -n')).toContain(
      'Address                  HWtype  HWaddress           Flags Mask            Iface\n10.244.2.0               ether   02:00:00:00:00:01   CM                    flannel.1\n',
    );
    expect(out(node, 'arp -an')).toContain('? (10.244.2.0) at 02:00:00:00:00:01 [ether] PERM on flannel.1\n');
  });

  test('bridge vlan and conntrack -S', () => {
    expect(out(node, 'bridge vlan')).toBe(
      'port              vlan-id  \ncni0              1 PVID Egress Untagged\nveth1             1 PVID Egress Untagged\n',
    );
    expect(out(node, 'conntrack -S')).toMatch(
      /^cpu=0 {3}\tfound=0 invalid=0 insert=0 insert_failed=0 drop=0 early_drop=0 /,
    );
    expect(out(node, 'conntrack -L -o extended -p tcp --dport 80')).toBe('');
  });
});

test('ss -m shows the buffers of each socket, before the figures of -i', () => {
  const lines = out(pod, 'ss -tlnmH').split('\n');
  expect(lines[1]).toBe('\t skmem:(r0,rb1048576,t0,tb1048576,f0,w0,o0,bl0,d0)');
  expect(out(pod, 'ss -uanmH').split('\n')[1]).toBe('\t skmem:(r0,rb212992,t0,tb212992,f0,w0,o0,bl0,d0)');
});
