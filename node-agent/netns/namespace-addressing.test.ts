import { expect, test } from 'vitest';
import { Host } from '../../shared/netstack/host.ts';
import { ip, TestNetwork } from '../../shared/netstack/network.testkit.ts';
import { createVethPair } from '../../shared/netstack/veth.ts';
import { parseIpv4 } from '../../shared/wire/address.ts';
import { foldersOf } from './machine-folders.ts';
import { addressingLines } from './namespace-addressing.ts';

test("a namespace gets the emulated pod's MAC, MTU, address and routes", () => {
  const { engine, memory } = TestNetwork.pair().net;
  const host = new Host({ engine, memory, name: 'pod', secret: new Uint8Array(16) });
  const identity = { macAddress: 0x0a58_0af4_0105, mtuBytes: 1450 };
  const [, eth0] = createVethPair(
    engine,
    memory,
    { ...identity, name: 'veth1', index: 9 },
    { ...identity, name: 'eth0', index: 2 },
  );
  host.addDevice(eth0);
  host.addAddress(eth0, parseIpv4('10.244.1.5')!, 24);
  const gateway = parseIpv4('10.244.1.1')!;
  host.routes.add({ destination: 0, prefixLength: 0, gateway, device: eth0 });
  host.routes.add({ destination: parseIpv4('10.244.0.0')!, prefixLength: 16, gateway, device: eth0 });
  expect(addressingLines(host, eth0)).toEqual([
    'link set lo up',
    'link set eth0 addrgenmode none',
    'link set eth0 address 0a:58:0a:f4:01:05 mtu 1450 txqueuelen 10000',
    'address add 10.244.1.5/24 dev eth0',
    'link set eth0 up',
    'route add 0.0.0.0/0 via 10.244.1.1 dev eth0',
    'route add 10.244.0.0/16 via 10.244.1.1 dev eth0',
  ]);
});

test('and those of IPv6, which nobody else can have', () => {
  const { engine, memory } = TestNetwork.pair().net;
  const host = new Host({ engine, memory, name: 'pod', ipv6: true, secret: new Uint8Array(16) });
  const identity = { macAddress: 0x0a58_0af4_0105, mtuBytes: 1450 };
  const ends = [
    { ...identity, name: 'veth1', index: 9 },
    { ...identity, name: 'eth0', index: 2 },
  ] as const;
  const [, eth0] = createVethPair(engine, memory, ...ends);
  host.addDevice(eth0);
  host.addAddress(eth0, ip('10.244.1.5'), 24);
  host.addAddress(eth0, ip('fd00:10:244:1::5'), 64);
  host.routes.add({ destination: ip('::'), prefixLength: 0, gateway: ip('fd00:10:244:1::1'), device: eth0 });
  expect(addressingLines(host, eth0).slice(3)).toEqual([
    'address add 10.244.1.5/24 dev eth0',
    'address add fd00:10:244:1::5/64 dev eth0 nodad',
    'address add fe80::858:aff:fef4:105/64 dev eth0 nodad',
    'link set eth0 up',
    'route add ::/0 via fd00:10:244:1::1 dev eth0',
  ]);
});

test('folders on file systems of their own are known, those that a container has itself are not', () => {
  const mountinfo = [
    '22 27 0:21 / /proc rw,relatime - proc proc rw',
    '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
    '40 27 254:1 / /home/with\\040space rw - ext4 /dev/vdb rw',
    '41 27 254:2 / /nix rw shared:1 - ext4 /dev/vdc rw',
    '42 41 254:2 /store /nix/store ro shared:1 - ext4 /dev/vdc rw',
    '43 27 0:25 / /run/user/0 rw - tmpfs tmpfs rw',
    '',
  ].join('\n');
  expect(foldersOf(mountinfo)).toEqual(['/nix', '/nix/store', '/home/with space']);
});
