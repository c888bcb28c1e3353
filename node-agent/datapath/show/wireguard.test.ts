/** `wg show` against what wireguard-tools 1.0.20210914 printed for the same device and peers. */
import { expect, test } from 'vitest';
import { TestNetwork } from '../../../shared/netstack/network.testkit.ts';
import { parsePrefix } from '../../../shared/wire/ip-address.ts';
import type { SessionCipher } from '../wireguard/session.ts';
import { WireguardDevice } from '../wireguard/wireguard-device.ts';
import { formatWireguard } from './wireguard.ts';

const KEY = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
const SECOND_US = 1_000_000;
const NOW_US = 1_000_000 * SECOND_US;

const cipher = (index: number): SessionCipher => ({
  sendIndex: index,
  receiveIndex: index,
  seal: () => undefined,
  open: () => false,
});

test('peers heard of last come first, with times and amounts in words', () => {
  let sessions = 0;
  const device = new WireguardDevice({
    host: new TestNetwork().host('node'),
    keys: { publicKey: 'V9tLNZ8jrl4Ubk4lEgVnBHIlBjSMFQwUdT0Mkz0E1CE=', cipherWith: () => cipher(sessions++) },
    name: 'rtwg9',
    index: 3,
    mtuBytes: 1420,
    local: 0xc0a8_010a,
  });
  const peers = [
    [['10.244.2.0/24', 'fd00:10:244:2::/64'], 63, 4300, 5652],
    [['10.244.3.0/24'], null, 0, 148],
    [['10.244.4.0/24'], 90_061, 999, 5 * 1024 ** 2],
    [['10.244.5.0/24'], 0, 1024, 3 * 1024 ** 3],
    [[], 3600, 1023, 0],
  ] as const;
  peers.forEach(([allowedIps, agoSeconds, receivedBytes, sentBytes], at) => {
    device.setPeer(
      KEY(at + 1),
      0xc0a8_010b + at,
      allowedIps.map((network) => parsePrefix(network)!),
    );
    const peer = device.listPeers()[at]!;
    peer.handshakeUs = agoSeconds === null ? null : NOW_US - agoSeconds * SECOND_US;
    peer.receivedBytes = receivedBytes;
    peer.sentBytes = sentBytes;
  });
  expect(formatWireguard(device, NOW_US)).toBe(`interface: rtwg9
  public key: V9tLNZ8jrl4Ubk4lEgVnBHIlBjSMFQwUdT0Mkz0E1CE=
  private key: (hidden)
  listening port: 51820

peer: BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
  endpoint: 192.168.1.14:51820
  allowed ips: 10.244.5.0/24
  latest handshake: Now
  transfer: 1.00 KiB received, 3.00 GiB sent

peer: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=
  endpoint: 192.168.1.11:51820
  allowed ips: 10.244.2.0/24, fd00:10:244:2::/64
  latest handshake: 1 minute, 3 seconds ago
  transfer: 4.20 KiB received, 5.52 KiB sent

peer: BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=
  endpoint: 192.168.1.15:51820
  allowed ips: (none)
  latest handshake: 1 hour ago
  transfer: 1023 B received, 0 B sent

peer: AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
  endpoint: 192.168.1.13:51820
  allowed ips: 10.244.4.0/24
  latest handshake: 1 day, 1 hour, 1 minute, 1 second ago
  transfer: 999 B received, 5.00 MiB sent

peer: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=
  endpoint: 192.168.1.12:51820
  allowed ips: 10.244.3.0/24
  transfer: 0 B received, 148 B sent
`);
});

test('a session outlives its peer, so that no counter comes twice', () => {
  const made: number[] = [];
  const { net, a } = TestNetwork.pair();
  const sealed: number[] = [];
  const device = new WireguardDevice({
    host: a,
    keys: {
      publicKey: KEY(9),
      cipherWith: () => {
        made.push(1);
        return { ...cipher(7), seal: (counter) => sealed.push(counter) };
      },
    },
    name: 'wg0',
    index: 3,
    mtuBytes: 1420,
    local: 0x0a00_0001,
  });
  a.addDevice(device);
  a.routes.add({ ...prefixOf('10.244.2.0/24'), device });
  const send = () => {
    a.udp.bind().sendTo(new Uint8Array(8), 0x0af4_0207, 9);
    net.settle();
  };
  for (let round = 0; round < 3; round++) {
    device.setPeer(KEY(1), 0x0a00_0002, [parsePrefix('10.244.2.0/24')!]);
    send();
    device.removePeer(KEY(1));
    send();
  }
  expect(made).toHaveLength(1);
  expect(sealed).toEqual([0, 1, 2]);
  expect(a.drops.get('wireguard-no-peer')).toBe(3);
});

function prefixOf(text: string): { destination: number; prefixLength: number } {
  const { address, prefixLength } = parsePrefix(text)!;
  return { destination: address, prefixLength };
}
