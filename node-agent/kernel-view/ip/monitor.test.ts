/** `ip monitor`, against what iproute2 6.1 printed for the same changes in a network namespace of Linux 6. */
import { beforeEach, expect, test } from 'vitest';
import { TestCluster } from '../../../test/flow/cluster.testkit.ts';
import type { PodAttachment } from '../../datapath/pod-attachment.ts';
import type { KernelOutput, KernelView } from '../../images/image.ts';
import { nodeKernelView } from '../kernel-view.ts';

let cluster: TestCluster;
let pod: PodAttachment;
let node: KernelView;

beforeEach(() => {
  cluster = new TestCluster();
  pod = cluster.node(1).attachPod({ id: 'default/web', address: 0x0af4_0105, hostDeviceName: 'veth1a2b3c4d' });
  node = nodeKernelView(cluster.node(1));
});

/** What a monitor that was there before tells of the changes. */
function seen(command: string, ...changes: (string | (() => void))[]): string {
  const first = node.run(command.split(' '));
  for (const change of changes) {
    if (typeof change === 'function') change();
    else expect(node.run(change.split(' '))).toEqual({ stdout: '', stderr: '', code: 0 });
  }
  return first.stdout + follow(first).stdout;
}

function follow({ next }: KernelOutput): KernelOutput {
  return node.run(next!);
}

test('routes as they come, change and go', () => {
  const text = seen(
    'ip monitor route',
    'ip route add 10.99.0.0/16 via 192.168.1.12',
    'ip route replace 10.99.0.0/16 via 192.168.1.13',
    'ip route del 10.99.0.0/16',
    'ip route add blackhole 10.98.0.0/16',
    'ip route del blackhole 10.98.0.0/16',
  );
  expect(text).toBe(
    '10.99.0.0/16 via 192.168.1.12 dev eth0 \n' +
      '10.99.0.0/16 via 192.168.1.13 dev eth0 \n' +
      'Deleted 10.99.0.0/16 via 192.168.1.13 dev eth0 \n' +
      'blackhole 10.98.0.0/16 \n' +
      'Deleted blackhole 10.98.0.0/16 \n',
  );
});

test('an address and the routes that are its, in their order, and with labels', () => {
  const text = seen('ip monitor all', 'ip addr add 10.77.0.1/24 dev eth0', 'ip addr del 10.77.0.1/24 dev eth0');
  expect(text).toBe(`[ADDR]2: eth0    inet 10.77.0.1/24 scope global eth0
       valid_lft forever preferred_lft forever
[ROUTE]local 10.77.0.1 dev eth0 table local proto kernel scope host src 10.77.0.1 
[ROUTE]10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.1 
[ROUTE]broadcast 10.77.0.255 dev eth0 table local proto kernel scope link src 10.77.0.1 
[ADDR]Deleted 2: eth0    inet 10.77.0.1/24 scope global eth0
       valid_lft forever preferred_lft forever
[ROUTE]Deleted 10.77.0.0/24 dev eth0 proto kernel scope link src 10.77.0.1 
[ROUTE]Deleted broadcast 10.77.0.255 dev eth0 table local proto kernel scope link src 10.77.0.1 
[ROUTE]Deleted local 10.77.0.1 dev eth0 table local proto kernel scope host src 10.77.0.1 
`);
});

test('neighbours by their states', () => {
  const text = seen(
    'ip monitor neigh dev eth0',
    'ip neigh add 192.168.1.99 lladdr 02:00:00:00:00:01 dev eth0',
    'ip neigh replace 192.168.1.99 lladdr 02:00:00:00:00:02 dev eth0 nud stale',
    'ip neigh del 192.168.1.99 dev eth0',
    'ip neigh add 10.244.1.9 lladdr 02:00:00:00:00:01 dev cni0',
  );
  expect(text).toBe(
    '192.168.1.99 dev eth0 lladdr 02:00:00:00:00:01 PERMANENT \n' +
      '192.168.1.99 dev eth0 lladdr 02:00:00:00:00:02 STALE \n' +
      '192.168.1.99 dev eth0 FAILED \n' +
      'Deleted 192.168.1.99 dev eth0 FAILED \n',
  );
});

test('a neighbour that answers, and one that does not', () => {
  const ping = (to: string) => {
    cluster.ping(cluster.node(1).root, { to, timeoutUs: 1_000_000 });
    cluster.advance(2_000_000);
  };
  expect(seen('ip mon nei', () => ping('10.244.1.5'))).toMatch(
    /^10\.244\.1\.5 dev cni0 lladdr 0a:58:0a:f4:01:05 REACHABLE \n$/,
  );
  expect(seen('ip mon nei', () => ping('10.244.1.66'))).toBe('10.244.1.66 dev cni0 FAILED \n');
});

test('a cable that goes down takes the bridge along, and a pod that goes its cable', () => {
  const text = seen(
    'ip -o monitor link',
    'ip link set veth1a2b3c4d down',
    'ip link set veth1a2b3c4d up',
    'ip link set flannel.1 mtu 1400',
    () => pod.detach(),
  );
  const lines = text.split('\n').map((line) => line.replace(/(link\/ether) [0-9a-f:]+/, '$1 MAC'));
  const cable = 'mtu 1450 qdisc noqueue master cni0 state';
  const tail = 'group default \\    link/ether MAC brd ff:ff:ff:ff:ff:ff';
  expect(lines).toEqual([
    expect.stringMatching(
      /^\d+: cni0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state DOWN group default /,
    ),
    expect.stringContaining(`: veth1a2b3c4d@if2: <BROADCAST,MULTICAST> ${cable} DOWN ${tail} link-netnsid 0`),
    expect.stringMatching(/^\d+: cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> /),
    expect.stringContaining(`: veth1a2b3c4d@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> ${cable} UP ${tail} link-netnsid 0`),
    expect.stringContaining(
      `: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UNKNOWN ${tail}`,
    ),
    expect.stringContaining(': cni0: <NO-CARRIER,'),
    expect.stringMatching(/^Deleted \d+: veth1a2b3c4d@if2: /),
    '',
  ]);
});

test('-t has the time before each event, -ts on its line', () => {
  const add = 'ip route add 10.99.0.0/16 via 192.168.1.12';
  expect(seen('ip -t monitor route', add)).toMatch(
    /^Timestamp: [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4} \d+ usec\n10\.99\.0\.0\/16 via 192\.168\.1\.12 dev eth0 \n$/,
  );
  expect(seen('ip -ts monitor route', add.replace('99', '97'))).toMatch(
    /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\] 10\.97\.0\.0\/16 via/,
  );
});

test('a family alone, and words that it does not know', () => {
  expect(seen('ip -6 monitor', 'ip route add 10.99.0.0/16 via 192.168.1.12')).toBe('');
  expect(node.run(['ip', 'monitor', 'foo'])).toEqual({
    stdout: '',
    stderr: 'Argument "foo" is unknown, try "ip monitor help".\n',
    code: 255,
  });
  expect(node.run(['ip', 'monitor', 'dev', 'nope']).stderr).toBe(
    'Error: argument "nope" is wrong: Device does not exist\n\n',
  );
});

test('nobody listens once the reader stays away', () => {
  const { root } = cluster.node(1);
  const daemons = root.routes.observers.size;
  const first = node.run(['ip', 'monitor']);
  expect(root.routes.observers.size).toBe(daemons + 1);
  cluster.advance(6_000_000);
  node.run('ip route add 10.99.0.0/16 via 192.168.1.12'.split(' '));
  expect([root.changes, root.routes.observers.size, root.neighbours.observer]).toEqual([null, daemons, null]);
  expect(follow(first).stdout).toBe('');
});
