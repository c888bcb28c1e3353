/** Tools over a namespace's devices and counters, in the forms that net-tools, ethtool and iproute2 printed on Linux. */
import { describe, expect, test } from 'vitest';
import { TestNetwork } from '../../shared/netstack/network.testkit.ts';
import { podKernelView } from './kernel-view.ts';

const { net, a, b } = TestNetwork.pair();
const view = podKernelView(a);
const run = (command: string): string => {
  const { stdout, stderr, code } = view.run(command.split(' '));
  return `${stdout}${stderr}${code === 0 ? '' : `=> ${code}\n`}`;
};

b.tcp.listen({ port: 80 });
a.tcp.connect({ remoteAddress: b.addresses().find(({ scope }) => scope === 'global')!.address, remotePort: 80 });
net.settle();

describe('devices', () => {
  test('ifconfig', () => {
    const { rxPackets, rxBytes, txPackets, txBytes } = [...a.interfaces.keys()][1]!.counters;
    expect(run('ifconfig eth0')).toMatch(
      /^eth0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST> {2}mtu 1500\n {8}inet 10\.0\.0\.1 {2}netmask 255\.255\.255\.0 {2}broadcast 10\.0\.0\.255\n/,
    );
    expect(run('ifconfig eth0')).toContain(`        RX packets ${rxPackets}  bytes ${rxBytes} (${rxBytes}.0 B)\n`);
    expect(run('ifconfig eth0')).toContain(`        TX packets ${txPackets}  bytes ${txBytes} (${txBytes}.0 B)\n`);
    expect(run('ifconfig lo')).toContain(
      'lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n',
    );
    expect(run('ifconfig eth9')).toBe('eth9: error fetching interface information: Device not found\n=> 1\n');
  });

  test('netstat -i, ethtool and tc qdisc', () => {
    expect(run('netstat -i')).toMatch(
      /^Kernel Interface table\nIface {13}MTU .*\neth0 {13}1500 .* BMRU\nlo {14}65536 .* LRU\n$/,
    );
    expect(run('ethtool -k lo')).toMatch(
      /^Features for lo:\nrx-checksumming: on \[fixed\]\ntx-checksumming: on\n\ttx-checksum-ipv4: off/,
    );
    expect(run('ethtool --show-features eth0')).toMatch(
      /\n\ttx-checksum-sctp: on\nscatter-gather: on\n[\s\S]*\nrx-vlan-offload: on\n/,
    );
    expect(run('ethtool -k eth0').split('\n')).toHaveLength(65);
    expect(run('ethtool -i eth0')).toMatch(/^driver: veth\nversion: 1\.0\n/);
    expect(run('ethtool eth0')).toMatch(/^Settings for eth0:\n(\t.*\n)+\tLink detected: yes\n$/);
    expect(run('tc qdisc show dev eth0')).toBe('qdisc noqueue 0: root refcnt 2 \n');
    expect(run('tc qdisc add dev eth0 root netem delay 10ms')).toContain('podwire link set');
  });
});

describe('counters', () => {
  test('of the protocols, in files, nstat and netstat -s alike', () => {
    const [names = '', values = ''] = run('cat /proc/net/snmp')
      .split('\n')
      .filter((line) => line.startsWith('Tcp: '));
    const tcp = Object.fromEntries(names.split(' ').map((name, index) => [name, values.split(' ')[index]]));
    expect(tcp).toMatchObject({ ActiveOpens: '1', CurrEstab: '1', RetransSegs: '0' });
    expect(run('nstat TcpActiveOpens')).toBe(`#kernel\n${'TcpActiveOpens'.padEnd(32)}${'1'.padEnd(19)}0.0\n`);
    expect(run('nstat -az TcpRetransSegs')).toContain('TcpRetransSegs');
    expect(run('netstat -s')).toContain('Tcp:\n    1 active connection openings\n    0 passive connection openings\n');
    expect(run('cat /proc/net/netstat')).toMatch(/^TcpExt: .*TCPTimeouts/);
  });

  test('of sockets', () => {
    expect(run('ss -s')).toMatch(/^Total: 1\nTCP: {3}1 \(estab 1, closed 0, orphaned 0, timewait 0\)\n/);
    expect(run('cat /proc/net/sockstat')).toContain('TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 0\n');
  });

  test('a segment sent again is counted', () => {
    const { net: lossy, a: client, b: server } = TestNetwork.pair();
    const [link] = [...server.interfaces.keys()].filter(({ kind }) => kind === 'veth');
    link!.up = false;
    client.tcp.connect({
      remoteAddress: server.addresses().find(({ scope }) => scope === 'global')!.address,
      remotePort: 80,
    });
    lossy.advance(4_000_000);
    expect(client.tcp.counters).toMatchObject({ segmentsRetransmitted: 2, timeouts: 2 });
  });
});
