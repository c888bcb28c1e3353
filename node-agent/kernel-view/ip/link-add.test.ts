/** `ip link add` and `del`, against what iproute2 6.1 printed in a network namespace of Linux 6. */
import { beforeEach, describe, expect, test } from 'vitest';
import { TestCluster } from '../../../test/flow/cluster.testkit.ts';
import type { KernelView } from '../../images/image.ts';
import { nodeKernelView, podKernelView } from '../kernel-view.ts';

let cluster: TestCluster;
let node: KernelView;
let pod: KernelView;

beforeEach(() => {
  cluster = new TestCluster();
  node = nodeKernelView(cluster.node(1));
  pod = podKernelView(cluster.pod('10.244.1.5').host, { administrator: true });
});

function run(command: string, view = node): string {
  const { stdout, stderr, code } = view.run(command.split(' '));
  return `${stdout}${stderr}${code === 0 ? '' : `=> ${code}\n`}`;
}

function all(commands: readonly string[], view = node): void {
  for (const command of commands) expect([command, run(command, view)]).toEqual([command, '']);
}

test('a bridge with a cable is a network of its own, and goes as it came', () => {
  const before = run('ip link');
  all([
    'ip link add br0 type bridge',
    'ip link add v0 type veth peer name v1',
    'ip link set v0 master br0',
    'ip link set v0 up',
    'ip link set v1 up',
    'ip link set br0 up',
    'ip addr add 10.5.0.1/24 dev br0',
  ]);
  expect(run('ip -br link show br0')).toMatch(/^br0 {14}UP {13}[0-9a-f:]{17} <BROADCAST,MULTICAST,UP,LOWER_UP> \n$/);
  expect(run('ip -br link show v0')).toMatch(/^v0@v1 {12}UP /);
  expect(run('bridge link')).toContain(
    ': v0@v1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master br0 state forwarding',
  );
  expect(run('ip route show dev br0')).toBe('10.5.0.0/24 proto kernel scope link src 10.5.0.1 \n');
  expect(run('ip route get 10.5.0.9')).toBe('10.5.0.9 dev br0 src 10.5.0.1 uid 0 \n    cache \n');
  expect(run('ip link del v1')).toBe('');
  expect(run('ip link show v0')).toBe('Device "v0" does not exist.\n=> 1\n');
  expect(run('ip link show br0')).toContain('<NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state DOWN');
  expect(run('ip link del dev br0')).toBe('');
  expect(run('ip route show 10.5.0.0/24')).toBe('');
  expect(run('ip link')).toBe(before);
});

test('both ends of a cable in a pod speak with each other over its devices', () => {
  all(
    [
      'ip link add a type veth peer name b',
      'ip link set a up',
      'ip link set b up',
      'ip addr add 10.7.0.1/24 dev a',
      'ip addr add 10.7.0.2/24 dev b',
    ],
    pod,
  );
  expect(run('ip -br -4 addr show a', pod)).toBe('a@b              UP             10.7.0.1/24 \n');
  expect(run('ip link show b', pod)).toMatch(/^3: b@a: <BROADCAST,MULTICAST,UP,LOWER_UP>/);
});

test('devices are found by index, also those of the next pod', () => {
  all(['ip link add br0 type bridge', 'ip link add type veth', 'ip link add d0 type dummy']);
  cluster.pod('10.244.1.6');
  const indexes = [...run('ip -o link').matchAll(/^(\d+): /gm)].map(([, index]) => Number(index));
  expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b));
  expect(run('ip -br link show veth0')).toMatch(
    /^veth0@veth1 {6}DOWN {11}[0-9a-f:]{17} <BROADCAST,MULTICAST,M-DOWN> \n$/,
  );
});

test('attributes, and a dummy that carries an address', () => {
  all([
    'ip link add v6 mtu 1400 address 02:00:00:00:00:66 up type veth peer name v7 mtu 1300',
    'ip link add d0 up type dummy',
  ]);
  expect(run('ip link show v6')).toMatch(
    /^\d+: v6@v7: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1400 .*state LOWERLAYERDOWN[\s\S]*link\/ether 02:00:00:00:00:66 brd/,
  );
  expect(run('ip link show v7')).toContain('mtu 1300');
  all(['ip addr add 10.9.0.1/32 dev d0']);
  expect(run('ip route get 10.9.0.1')).toContain('local 10.9.0.1 dev lo');
});

describe('refusals', () => {
  test.each([
    ['ip link add cni0 type bridge', 'RTNETLINK answers: File exists\n=> 2\n'],
    ['ip link add v5 type veth peer name v5', 'RTNETLINK answers: File exists\n=> 2\n'],
    ['ip link add foo type nosuch', 'Error: Unknown device type.\n=> 2\n'],
    ['ip link add foo', 'Not enough information: "type" argument is required\n=> 1\n'],
    ['ip link add averyveryverylongname type bridge', 'Error: Attribute failed policy validation.\n=> 2\n'],
    ['ip link add vx type vxlan id 5 dstport 4789', 'RTNETLINK answers: Operation not supported\n=> 2\n'],
    ['ip link add foo type toString', 'Error: Unknown device type.\n=> 2\n'],
    ['ip link add b0 mtu 10 type bridge', 'Error: mtu less than device minimum.\n=> 2\n'],
    ['ip link add v0 mtu 70000 type veth', 'RTNETLINK answers: Invalid argument\n=> 2\n'],
    ['ip link add a:b type veth', 'RTNETLINK answers: Invalid argument\n=> 2\n'],
    ['ip link add a/b type veth', 'Error: argument "a/b" is wrong: "dev" not a valid ifname\n=> 255\n'],
    ['ip link add v0 type veth peer name c/d', 'Error: argument "c/d" is wrong: "name" not a valid ifname\n=> 255\n'],
    [
      'ip link add v0 address 01:00:5e:00:00:01 type veth',
      'RTNETLINK answers: Cannot assign requested address\n=> 2\n',
    ],
    ['ip link del nope', 'Cannot find device "nope"\n=> 1\n'],
    ['ip link del lo', 'RTNETLINK answers: Operation not supported\n=> 2\n'],
    ['ip link del', 'Not enough information: "dev" argument is required.\n=> 255\n'],
  ])('%s', (command, text) => {
    const before = run('ip link');
    expect(run(command)).toBe(text);
    expect(run('ip link')).toBe(before);
  });

  test('without CAP_NET_ADMIN', () => {
    const mere = podKernelView(cluster.pod('10.244.1.7').host);
    expect(run('ip link add br0 type bridge', mere)).toBe('RTNETLINK answers: Operation not permitted\n=> 2\n');
  });
});
