import { describe, expect, it } from 'vitest';
import { TestCluster } from '../../../test/flow/cluster.testkit.ts';
import { addressRows, formatAddresses } from './address.ts';
import { fdbRows, formatFdb } from './fdb.ts';
import { formatBridgeLinks, formatLinks, linkRows } from './link.ts';
import { nodeNamespace, podNamespace } from './namespace.ts';
import { formatNeighbours, neighbourRows } from './neighbour.ts';
import { chooseRoute, formatChosenRoute, formatRoutes, routeRows } from './route.ts';

const cluster = new TestCluster();
const node = cluster.node(1);
const pod = node.attachPod({ id: 'default/web', address: 0x0af4_0105, hostDeviceName: 'veth1a2b3c4d' });
cluster.pod('10.244.2.7');
cluster.ping(pod.host, { to: '10.244.2.7' });
cluster.ping(node.root, { to: '192.168.1.11' });
const namespace = nodeNamespace(node);

/** Addresses that are drawn at random. */
const settled = (text: string) =>
  text.replace(/\b02:(?!42)[0-9a-f:]{14}\b/g, '02:xx').replace(/fe80::[0-9a-f:]+:6ff:fec4:[0-9a-f]+/g, 'fe80::xx');

describe('listings of a node', () => {
  it('ip addr', () => {
    expect(settled(formatAddresses(addressRows(namespace)))).toBe(
      [
        '1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000',
        '    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00',
        '    inet 127.0.0.1/8 scope host lo',
        '       valid_lft forever preferred_lft forever',
        '    inet6 ::1/128 scope host ',
        '       valid_lft forever preferred_lft forever',
        '2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000',
        '    link/ether 02:42:c0:a8:01:0a brd ff:ff:ff:ff:ff:ff',
        '    inet 192.168.1.10/24 brd 192.168.1.255 scope global eth0',
        '       valid_lft forever preferred_lft forever',
        '    inet6 fd00:192:168:1::10/64 scope global ',
        '       valid_lft forever preferred_lft forever',
        '    inet6 fe80::42:c0ff:fea8:10a/64 scope link ',
        '       valid_lft forever preferred_lft forever',
        '3: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN group default ',
        '    link/ether 02:xx brd ff:ff:ff:ff:ff:ff',
        '    inet 10.244.1.0/32 scope global flannel.1',
        '       valid_lft forever preferred_lft forever',
        '    inet6 fd00:10:244:1::/128 scope global ',
        '       valid_lft forever preferred_lft forever',
        '    inet6 fe80::xx/64 scope link ',
        '       valid_lft forever preferred_lft forever',
        '4: cni0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default qlen 1000',
        '    link/ether 0a:58:0a:f4:01:01 brd ff:ff:ff:ff:ff:ff',
        '    inet 10.244.1.1/24 brd 10.244.1.255 scope global cni0',
        '       valid_lft forever preferred_lft forever',
        '    inet6 fd00:10:244:1::1/64 scope global ',
        '       valid_lft forever preferred_lft forever',
        '    inet6 fe80::858:aff:fef4:101/64 scope link ',
        '       valid_lft forever preferred_lft forever',
        '5: veth1a2b3c4d@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue master cni0 state UP group default ',
        '    link/ether 02:xx brd ff:ff:ff:ff:ff:ff link-netnsid 0',
        '',
      ].join('\n'),
    );
  });

  it('ip -d link', () => {
    const text = formatLinks(linkRows(namespace), { details: true, statistics: 1 });
    expect(text).toContain('    vxlan id 1 local 192.168.1.10 dev eth0 srcport 0 0 dstport 8472 nolearning ');
    expect(text).toContain('    bridge_slave state forwarding priority 32 cost 2 hairpin on ');
    expect(text).toMatch(/RX: +bytes +packets/);
  });

  it('ip route', () => {
    expect(formatRoutes(routeRows(node.root, 'ipv4'))).toBe(
      [
        'default via 192.168.1.1 dev eth0 ',
        '10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1 ',
        '10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink ',
        '192.168.1.0/24 dev eth0 proto kernel scope link src 192.168.1.10 ',
        '',
      ].join('\n'),
    );
    expect(formatChosenRoute(chooseRoute(node.root, 0x0af4_0207)!)).toBe(
      '10.244.2.7 via 10.244.2.0 dev flannel.1 src 10.244.1.0 uid 0 \n    cache \n',
    );
  });

  it('ip neigh', () => {
    const text = settled(formatNeighbours(neighbourRows(node.root)));
    expect(text).toContain('10.244.2.0 dev flannel.1 lladdr 02:xx PERMANENT \n');
    expect(text).toMatch(/192\.168\.1\.11 dev eth0 lladdr 02:42:c0:a8:01:0b (REACHABLE|STALE|DELAY) \n/);
    expect(text).toMatch(/10\.244\.1\.5 dev cni0 lladdr 0a:58:0a:f4:01:05 (REACHABLE|STALE|DELAY) \n/);
  });

  it('bridge fdb and bridge link', () => {
    const text = settled(formatFdb(fdbRows(namespace)));
    expect(text).toContain('02:xx dev flannel.1 dst 192.168.1.11 self permanent\n');
    expect(text).toContain('0a:58:0a:f4:01:05 dev veth1a2b3c4d master cni0 \n');
    expect(text).toContain('02:xx dev veth1a2b3c4d master cni0 permanent\n');
    expect(formatBridgeLinks(namespace)).toBe(
      '5: veth1a2b3c4d@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 master cni0 state forwarding priority 32 cost 2 \n',
    );
  });

  it('show no pod that was detached, and its name and address are free again', () => {
    const gone = node.attachPod({ id: 'default/gone', address: 0x0af4_0109 });
    gone.detach();
    gone.detach();
    expect([...node.pods.keys()]).toEqual(['default/web']);
    expect(linkRows(nodeNamespace(node)).map((row) => row.ifindex)).toEqual([1, 2, 3, 4, 5]);
    node.attachPod({ id: 'default/gone', address: 0x0af4_0109 }).detach();
    expect(() => node.attachPod({ id: 'default/other', address: 0x0af4_0105 })).toThrow(/default\/web has 10.244.1.5/);
  });
});

describe('listings of a pod', () => {
  it('ip addr and ip route', () => {
    expect(formatAddresses(addressRows(podNamespace(pod.host)))).toContain(
      '2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP group default \n    link/ether 0a:58:0a:f4:01:05 brd ff:ff:ff:ff:ff:ff link-netnsid 0\n    inet 10.244.1.5/24 brd 10.244.1.255 scope global eth0\n',
    );
    expect(formatRoutes(routeRows(pod.host, 'ipv4'))).toBe(
      'default via 10.244.1.1 dev eth0 \n10.244.0.0/16 via 10.244.1.1 dev eth0 \n10.244.1.0/24 dev eth0 proto kernel scope link src 10.244.1.5 \n',
    );
  });
});
