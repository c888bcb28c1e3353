/**
 * `ip` and `bridge` that change things, against what iproute2 6.1 printed for the same commands in a network namespace of Linux 6.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { TestCluster } from '../../../test/flow/cluster.testkit.ts';
import type { NodeDatapath } from '../../datapath/path.ts';
import type { PodAttachment } from '../../datapath/pod-attachment.ts';
import type { KernelView } from '../../images/image.ts';
import { nodeKernelView, podKernelView } from '../kernel-view.ts';

let cluster: TestCluster;
let datapath: NodeDatapath;
let pod: PodAttachment;
let node: KernelView;

beforeEach(() => {
  cluster = new TestCluster();
  datapath = cluster.node(1);
  pod = datapath.attachPod({ id: 'default/web', address: 0x0af4_0105, hostDeviceName: 'veth1a2b3c4d' });
  cluster.pod('10.244.2.7');
  node = nodeKernelView(datapath);
});

/** What a command printed, with its exit code where that is not 0. */
function run(command: string, view = node): string {
  const { stdout, stderr, code } = view.run(command.split(' '));
  return `${stdout}${stderr}${code === 0 ? '' : `=> ${code}\n`}`;
}

/** Twice: the first packet may still wait for a neighbour that was asked for in vain. */
function pings(): boolean {
  const once = () => cluster.ping(pod.host, { to: '10.244.2.7', timeoutUs: 1_900_000 }).kind === 'reply';
  return once() || once();
}

const noPrefix = (text: string) => `Error: ${'any'} valid prefix is expected rather than "${text}".\n=> 1\n`;

describe('refusals', () => {
  test.each([
    ['ip link set nope up', 'Cannot find device "nope"\n=> 1\n'],
    ['ip link set dev', 'Command line is not complete. Try option "help"\n=> 255\n'],
    ['ip link set cni0 mtu 10', 'Error: mtu less than device minimum.\n=> 2\n'],
    ['ip link set cni0 mtu 100000', 'Error: mtu greater than device maximum.\n=> 2\n'],
    ['ip link set cni0 mtu abc', 'Error: argument "abc" is wrong: Invalid "mtu" value\n\n=> 255\n'],
    ['ip link set cni0 bogus', 'Error: either "dev" is duplicate, or "bogus" is a garbage.\n=> 255\n'],
    ['ip link bogus', 'Command "bogus" is unknown, try "ip link help".\n=> 255\n'],
    ['ip link del lo', 'RTNETLINK answers: Operation not supported\n=> 2\n'],
    ['ip link show master nope', 'Error: argument "nope" is wrong: Device does not exist\n\n=> 255\n'],
    ['ip addr show nope', 'Device "nope" does not exist.\n=> 1\n'],
    ['ip addr add 10.244.1.1/24 dev cni0', 'Error: ipv4: Address already assigned.\n=> 2\n'],
    ['ip addr add 10.0.0.1 dev nope', 'Cannot find device "nope"\n=> 1\n'],
    ['ip addr add 10.0.0.300/24 dev cni0', noPrefix('10.0.0.300/24')],
    ['ip addr add 10.0.0.5/24', 'Not enough information: "dev" argument is required.\n=> 1\n'],
    ['ip addr del 10.0.0.9/24 dev cni0', 'Error: ipv4: Address not found.\n=> 2\n'],
    ['ip addr bogus', 'Command "bogus" is unknown, try "ip address help".\n=> 255\n'],
    ['ip route add 10.244.2.0/24 dev cni0', 'RTNETLINK answers: File exists\n=> 2\n'],
    ['ip route add 10.8.0.0/16 via 1.2.3.4 dev cni0', 'Error: Nexthop has invalid gateway.\n=> 2\n'],
    ['ip route add 10.8.0.0/16', 'RTNETLINK answers: No such device\n=> 2\n'],
    ['ip route add 10.8.0.1/16 dev cni0', 'Error: Invalid prefix for given prefix length.\n=> 2\n'],
    ['ip route add 10.8.0/33 dev cni0', noPrefix('10.8.0/33')],
    ['ip route add 10.7.0.0/16 dev cni0 src 9.9.9.9', 'Error: Invalid prefsrc address.\n=> 2\n'],
    ['ip route add 1.1.1.1 dev cni0 bogus 5', 'Error: either "to" is duplicate, or "bogus" is a garbage.\n=> 255\n'],
    ['ip route del 10.77.0.0/16', 'RTNETLINK answers: No such process\n=> 2\n'],
    ['ip route change 10.77.0.0/16 dev cni0', 'RTNETLINK answers: No such file or directory\n=> 2\n'],
    ['ip route show bogus', noPrefix('bogus')],
    ['ip route get', 'need at least a destination address\n=> 1\n'],
    ['ip route get nonsense', noPrefix('nonsense')],
    ['ip neigh add 10.0.0.9 dev cni0', 'Error: No link layer address given.\n=> 2\n'],
    ['ip neigh add 10.0.0.10 lladdr 02:00 dev cni0', 'Error: Invalid link address.\n=> 2\n'],
    ['ip neigh add 10.0.0.10 lladdr 02:00:00:00:00:07', 'Device and destination are required arguments.\n=> 255\n'],
    ['ip neigh del 10.0.0.99 dev cni0', 'RTNETLINK answers: No such file or directory\n=> 2\n'],
    ['ip neigh flush', 'Flush requires arguments.\n=> 1\n'],
    ['ip neigh show dev nope', 'Cannot find device "nope"\n=> 1\n'],
    ['ip -x addr', 'Option "-x" is unknown, try "ip -help".\n=> 255\n'],
    ['bridge fdb del 02:00:00:00:00:99 dev flannel.1', 'RTNETLINK answers: No such file or directory\n=> 255\n'],
    ['bridge foo', 'Object "foo" is unknown, try "bridge help".\n=> 255\n'],
  ])('%s', (command, expected) => {
    expect(run(command)).toBe(expected);
  });

  test.each([
    'ip link set eth0 down',
    'ip addr add 10.0.0.1/24 dev eth0',
    'ip route del default',
    'ip neigh add 10.244.1.9 lladdr 02:00:00:00:00:07 dev eth0',
  ])('a pod without CAP_NET_ADMIN: %s', (command) => {
    expect(run(command, podKernelView(pod.host))).toBe('RTNETLINK answers: Operation not permitted\n=> 2\n');
    expect(run(command, podKernelView(pod.host, { administrator: true }))).toBe('');
  });
});

describe('routes', () => {
  test('are added, replaced and listed by what they are', () => {
    for (const route of [
      '10.9.0.0/16 via 192.168.1.254',
      'blackhole 10.66.0.0/16',
      'unreachable 10.67.0.0/16',
      'prohibit 10.68.0.0/16',
      '10.64.0.1 dev cni0 proto static scope link',
      '10.64.0.2 via 9.9.9.9 dev cni0 onlink',
    ]) {
      expect(run(`ip route add ${route}`)).toBe('');
    }
    expect(run('ip route replace 10.77.0.0/16 dev cni0 metric 5 mtu 1400 src 10.244.1.1')).toBe('');
    expect(run('ip route append 10.77.0.0/16 dev cni0 metric 5')).toBe('');
    const listed = run('ip route').split('\n');
    expect(listed).toEqual(
      expect.arrayContaining([
        '10.9.0.0/16 via 192.168.1.254 dev eth0 ',
        'blackhole 10.66.0.0/16 ',
        'unreachable 10.67.0.0/16 ',
        'prohibit 10.68.0.0/16 ',
        '10.64.0.1 dev cni0 proto static scope link ',
        '10.64.0.2 via 9.9.9.9 dev cni0 onlink ',
        '10.77.0.0/16 dev cni0 scope link src 10.244.1.1 metric 5 mtu 1400 ',
        '10.77.0.0/16 dev cni0 scope link metric 5 ',
      ]),
    );
    expect(run('ip route get 10.66.0.1')).toBe('RTNETLINK answers: Invalid argument\n=> 2\n');
    expect(run('ip route get 10.67.0.1')).toBe('RTNETLINK answers: No route to host\n=> 2\n');
    expect(run('ip route get 10.68.0.1')).toBe('RTNETLINK answers: Permission denied\n=> 2\n');
    expect(run('ip route show dev cni0 proto kernel')).toBe('10.244.1.0/24 scope link src 10.244.1.1 \n');
    expect(run('ip route show via 192.168.1.254')).toBe('10.9.0.0/16 dev eth0 \n');
    expect(run('ip route list match 10.9.1.1')).toBe(
      'default via 192.168.1.1 dev eth0 \n10.9.0.0/16 via 192.168.1.254 dev eth0 \n',
    );
    expect(run('ip route show 10.9.0.0/16')).toBe('10.9.0.0/16 via 192.168.1.254 dev eth0 \n');
    expect(run('ip -j route get 10.9.1.1')).toBe(
      '[{"dst":"10.9.1.1","gateway":"192.168.1.254","dev":"eth0","prefsrc":"192.168.1.10","flags":[],"uid":0,"cache":[]}]\n',
    );
    expect(run('ip route get 10.244.1.255')).toBe(
      'broadcast 10.244.1.255 dev cni0 src 10.244.1.1 uid 0 \n    cache <local,brd> \n',
    );
  });

  test('to another node: without one its pods are gone, with it they are back', () => {
    expect(pings()).toBe(true);
    expect(run('ip route del 10.244.2.0/24')).toBe('');
    expect(pings()).toBe(false);
    expect(run('ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink')).toBe('');
    expect(pings()).toBe(true);
    expect(run('ip route add blackhole 10.244.2.7')).toBe('');
    expect(pings()).toBe(false);
  });
});

describe('links', () => {
  test('one that goes down takes its routes and neighbours, and comes back without them', () => {
    expect(pings()).toBe(true);
    expect(run('ip link set flannel.1 down')).toBe('');
    expect(run('ip link show flannel.1')).toMatch(/: flannel\.1: <BROADCAST,MULTICAST> mtu 1450 .* state DOWN /);
    expect(run('ip route')).not.toContain('flannel.1');
    expect(run('ip neigh')).not.toContain('flannel.1');
    expect(pings()).toBe(false);
    expect(run('ip link set flannel.1 up')).toBe('');
    expect(run('ip route show dev flannel.1')).toBe('');
    expect(pings()).toBe(false);
  });

  test("a bridge keeps its addresses, and its network's route comes back", () => {
    expect(run('ip link set cni0 down')).toBe('');
    expect(run('ip addr show cni0')).toContain('inet 10.244.1.1/24 brd 10.244.1.255 scope global cni0');
    expect(run('ip route show dev cni0')).toBe('');
    expect(pings()).toBe(false);
    expect(run('ip link set cni0 up')).toBe('');
    expect(run('ip route show dev cni0')).toBe('10.244.1.0/24 proto kernel scope link src 10.244.1.1 \n');
    expect(pings()).toBe(true);
  });

  test('a cable with one end down has no carrier at the other, nor has a bridge without another port', () => {
    expect(run('ip link set veth1a2b3c4d down')).toBe('');
    expect(run('ip link show veth1a2b3c4d')).toContain(
      '<BROADCAST,MULTICAST> mtu 1450 qdisc noqueue master cni0 state DOWN',
    );
    expect(run('ip link show eth0', podKernelView(pod.host))).toContain(
      '<NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state LOWERLAYERDOWN',
    );
    expect(run('ip link show cni0')).toContain('<NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state DOWN');
    expect(run('ip route show dev cni0')).toBe('10.244.1.0/24 proto kernel scope link src 10.244.1.1 linkdown \n');
    expect(run('ip route show default', podKernelView(pod.host))).toBe('default via 10.244.1.1 dev eth0 linkdown \n');
    expect(pings()).toBe(false);
    expect(run('ip link set veth1a2b3c4d up')).toBe('');
    expect(pings()).toBe(true);
  });

  test('a port that leaves its bridge is alone until it is back', () => {
    expect(run('ip link set veth1a2b3c4d nomaster')).toBe('');
    expect(run('bridge link')).toBe('');
    expect(pings()).toBe(false);
    expect(run('ip link set dev veth1a2b3c4d master cni0')).toBe('');
    expect(pings()).toBe(true);
  });

  test('of less MTU than a packet that may not be cut: who sent it hears of it', () => {
    expect(run('ip link set flannel.1 mtu 1200')).toBe('');
    expect(run('ip link show flannel.1')).toContain('mtu 1200');
    const tooLong = { to: '10.244.2.7', payloadBytes: 1300, dontFragment: true };
    expect(cluster.ping(pod.host, tooLong)).toMatchObject({ kind: 'unreachable' });
    expect(run('ip link set flannel.1 mtu 1451')).toBe('RTNETLINK answers: Invalid argument\n=> 2\n');
  });

  test('without eth0 the overlay carries nothing, in neither direction', () => {
    const there = cluster.pod('10.244.2.9').host;
    const toHere = (): string => cluster.ping(there, { to: '10.244.1.5', timeoutUs: 1_900_000 }).kind;
    expect([pings(), toHere()]).toEqual([true, 'reply']);
    run('ip link set eth0 down');
    expect([pings(), toHere()]).toEqual([false, 'timeout']);
    run('ip link set eth0 up');
    expect([pings(), toHere()]).toEqual([true, 'reply']);
  });

  test('the next pod finds the bridge as the CNI plugin wants it', () => {
    run('ip addr flush dev cni0');
    run('ip link set cni0 down');
    expect(pings()).toBe(false);
    datapath.attachPod({ id: 'default/next', address: 0x0af4_0106 });
    expect(run('ip -br -4 addr show cni0')).toBe('cni0             UP             10.244.1.1/24 \n');
    expect(pings()).toBe(true);
  });
});

describe('addresses', () => {
  test('a second one of a network is secondary, and goes with the first', () => {
    expect(run('ip addr add 10.0.0.1/24 dev cni0')).toBe('');
    expect(run('ip addr add 10.0.0.2/24 brd + dev cni0')).toBe('');
    expect(run('ip -o -4 addr show cni0')).toMatch(
      /^4: cni0 {4}inet 10\.244\.1\.1\/24 brd 10\.244\.1\.255 scope global cni0\\.*\n4: cni0 {4}inet 10\.0\.0\.1\/24 scope global cni0\\.*\n4: cni0 {4}inet 10\.0\.0\.2\/24 brd 10\.0\.0\.255 scope global secondary cni0\\/,
    );
    expect(run('ip route show 10.0.0.0/24')).toBe('10.0.0.0/24 dev cni0 proto kernel scope link src 10.0.0.1 \n');
    expect(run('ip addr del 10.0.0.1/24 dev cni0')).toBe('');
    expect(run('ip -4 addr show cni0')).not.toContain('10.0.0.');
    expect(run('ip route show 10.0.0.0/24')).toBe('');
  });
});

describe('ip addr flush', () => {
  test('takes what is in a network, or of a scope', () => {
    for (const address of ['10.0.0.1/24', '10.0.1.1/24']) run(`ip addr add ${address} dev cni0`);
    expect(run('ip addr flush dev cni0 to 10.0.0.0/24')).toBe('');
    expect(run('ip -br -4 addr show cni0')).toBe('cni0             UP             10.244.1.1/24 10.0.1.1/24 \n');
    expect(run('ip addr flush dev cni0 scope link')).toBe('');
    expect(run('ip addr flush dev cni0 to 10.0.0.0/8 scope global')).toBe('');
    expect(run('ip -br -4 addr show cni0')).toBe('');
  });
});

describe('neighbours and the FDB', () => {
  test('are added, flushed and looked up', () => {
    expect(run('ip neigh add 10.244.1.7 lladdr 02:00:00:00:00:07 dev cni0')).toBe('');
    expect(run('ip neigh add 10.244.1.7 lladdr 02:00:00:00:00:07 dev cni0')).toBe(
      'RTNETLINK answers: File exists\n=> 2\n',
    );
    expect(run('ip neigh replace 10.244.1.11 lladdr 02:00:00:00:00:0b dev cni0 nud stale')).toBe('');
    expect(run('ip neigh show nud stale')).toBe('10.244.1.11 dev cni0 lladdr 02:00:00:00:00:0b STALE \n');
    expect(run('ip neigh get 10.244.1.7 dev cni0')).toBe('10.244.1.7 dev cni0 lladdr 02:00:00:00:00:07 PERMANENT \n');
    expect(run('ip neigh get 10.244.1.77 dev cni0')).toBe('Error: Neighbour entry not found.\n=> 2\n');
    expect(run('ip neigh flush dev cni0')).toBe('');
    expect(run('ip neigh show dev cni0')).toBe('10.244.1.7 lladdr 02:00:00:00:00:07 PERMANENT \n');
    expect(run('ip -s neigh flush dev cni0')).toBe('Nothing to flush.\n');
  });

  test('without its entry another node is not reached through the tunnel', () => {
    const [mac] = run('bridge fdb show dev flannel.1').split(' ');
    expect(pings()).toBe(true);
    expect(run(`bridge fdb del ${mac} dev flannel.1`)).toBe('');
    expect(pings()).toBe(false);
    expect(run(`bridge fdb add ${mac} dev flannel.1 dst 192.168.1.11 self permanent`)).toBe('');
    expect(pings()).toBe(true);
  });
});

test('JSON has the fields of iproute2, and is pretty with -p', () => {
  expect(run('ip -j link show lo')).toBe(
    '[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"qdisc":"noqueue","operstate":"UNKNOWN","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"loopback","address":"00:00:00:00:00:00","broadcast":"00:00:00:00:00:00"}]\n',
  );
  expect(run('ip -p -j route show default')).toBe(
    '[ {\n        "dst": "default",\n        "gateway": "192.168.1.1",\n        "dev": "eth0",\n        "flags": [ ]\n    } ]\n',
  );
});

test('the table local, and all tables in the order of Linux', () => {
  const view = podKernelView(pod.host);
  const local =
    'local 10.244.1.5 dev eth0 table local proto kernel scope host src 10.244.1.5 \n' +
    'broadcast 10.244.1.255 dev eth0 table local proto kernel scope link src 10.244.1.5 \n' +
    'local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1 \n' +
    'local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1 \n' +
    'broadcast 127.255.255.255 dev lo table local proto kernel scope link src 127.0.0.1 \n';
  expect(run('ip -4 route show table all', view)).toBe(run('ip route', view) + local);
  expect(run('ip route show table local', view)).toBe(local.replaceAll(' table local', ''));
  expect(run('ip route show table local type broadcast dev lo', view)).toContain('broadcast 127.255.255.255');
});

describe('details', () => {
  const queues =
    'addrgenmode eui64 numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size 524280 tso_max_segs 65535 gro_max_size 65536 \n';

  test('of a tunnel, of lo and of a port', () => {
    expect(run('ip -d link show flannel.1').split('\n').slice(1).join('\n')).toMatch(
      new RegExp(
        `^ {4}link/ether \\S+ brd \\S+ promiscuity 0 {2}allmulti 0 minmtu 68 maxmtu 65535 \n {4}vxlan id 1 local 192\\.168\\.1\\.10 dev eth0 srcport 0 0 dstport \\d+ nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx ${queues}$`,
      ),
    );
    expect(run('ip -d link show lo')).toContain(
      `link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0  allmulti 0 minmtu 0 maxmtu 0 ${queues}`,
    );
    expect(run('ip -d link show veth1a2b3c4d')).toContain(`learning on flood on ${queues}`);
  });

  test('as JSON', () => {
    expect(JSON.parse(run('ip -d -j link show flannel.1'))[0].linkinfo).toMatchObject({
      info_kind: 'vxlan',
      info_data: { id: 1, local: '192.168.1.10', link: 'eth0', port: expect.any(Number), learning: false },
    });
    expect(JSON.parse(run('ip -d -j link show veth1a2b3c4d'))[0]).toMatchObject({
      promiscuity: 1,
      min_mtu: 68,
      linkinfo: {
        info_kind: 'veth',
        info_slave_kind: 'bridge',
        info_slave_data: { state: 'forwarding', hairpin: true },
      },
    });
    expect(JSON.parse(run('ip -s -s -j link show eth0'))[0].stats64.rx).toMatchObject({ bytes: 0, crc_errors: 0 });
  });

  test('of routes, and of the way of what arrives', () => {
    expect(run('ip -d route show 10.244.2.0/24')).toBe(
      'unicast 10.244.2.0/24 via 10.244.2.0 dev flannel.1 proto boot scope global onlink \n',
    );
    expect(run('ip route get 10.244.2.5 from 10.244.1.5 iif cni0')).toBe(
      '10.244.2.5 from 10.244.1.5 via 10.244.2.0 dev flannel.1 \n    cache iif cni0 \n',
    );
    expect(JSON.parse(run('ip -j route get 10.244.2.5 from 10.244.1.5 iif cni0'))).toEqual([
      {
        dst: '10.244.2.5',
        from: '10.244.1.5',
        gateway: '10.244.2.0',
        dev: 'flannel.1',
        flags: [],
        cache: [],
        iif: 'cni0',
      },
    ]);
  });

  test('errors by their kinds with -s -s', () => {
    const lines = run('ip -s -s link show eth0').split('\n');
    expect(lines.slice(4, 6)).toEqual([
      '    RX errors:  length    crc   frame    fifo overrun',
      '                     0      0       0       0       0 ',
    ]);
    expect(lines[8]).toBe('    TX errors: aborted   fifo  window heartbt transns');
  });
});
