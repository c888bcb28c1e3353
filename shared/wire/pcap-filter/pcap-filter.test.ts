/** What filters let pass, by a table, by tcpdump itself where it is installed, and for any text and bytes at all. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fileHeader, fileRecord } from '../pcap-file.ts';
import { compileFilter } from './compile.ts';
import { FilterError } from './filter-error.ts';
import { FRAMES } from './frames.testkit.ts';

function passing(filter: string): string[] {
  const passes = compileFilter(filter);
  return Object.entries(FRAMES)
    .filter(([, bytes]) => passes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length))
    .map(([name]) => name);
}

const IPV4 = ['syn', 'synAck', 'http', 'dnsQuery', 'dnsAnswer', 'ping', 'laterFragment', 'overlay'];

const TABLE: readonly (readonly [filter: string, frames: readonly string[]])[] = [
  ['', Object.keys(FRAMES)],
  ['ip', IPV4],
  ['arp', ['arpRequest']],
  ['ip6', ['ping6', 'tcp6']],
  ['tcp', ['syn', 'synAck', 'http', 'tcp6']],
  ['icmp or icmp6', ['ping', 'ping6']],
  ['ip and not tcp and not udp', ['ping']],
  ['host 10.244.1.5', ['syn', 'synAck', 'http', 'ping', 'arpRequest']],
  ['src host 10.244.1.5', ['syn', 'http', 'ping', 'arpRequest']],
  ['dst 10.244.1.5', ['synAck']],
  ['src and dst net 10.244', ['syn', 'synAck', 'http', 'ping', 'arpRequest']],
  ['arp host 10.244.1.5', ['arpRequest']],
  ['ip host 10.244.1.5 and icmp', ['ping']],
  ['net 10.244.2.0/24', ['syn', 'synAck', 'http', 'ping']],
  ['net 10.244.2.0 mask 255.255.255.0', ['syn', 'synAck', 'http', 'ping']],
  ['not net 10', ['overlay', 'laterFragment', 'ping6', 'tcp6', 'tagged']],
  ['port 80', ['syn', 'synAck', 'http', 'tcp6']],
  ['tcp dst port http', ['syn', 'http', 'tcp6']],
  ['src port 80 or 53', ['synAck', 'dnsAnswer']],
  ['udp port domain', ['dnsQuery', 'dnsAnswer']],
  ['portrange 50-60', ['dnsQuery', 'dnsAnswer']],
  ['udp portrange 4000-5000', ['overlay']],
  ['tcp[tcpflags] & tcp-syn != 0', ['syn', 'synAck']],
  ['tcp[tcpflags] == tcp-syn', ['syn']],
  ['tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack)', ['synAck']],
  ['tcp[13] & 2 != 0 and src 10.244.2.7', ['synAck']],
  ['port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)', ['http']],
  ['icmp[icmptype] = icmp-echo', ['ping']],
  ['ip[8] < 63', ['overlay']],
  ['ether host 0a:58:0a:f4:01:05', ['syn', 'http', 'synAck', 'ping', 'arpRequest']],
  ['ether src a:58:a:f4:1:5 and arp', ['arpRequest']],
  ['ether host 0a-58-0a-f4-01-05 and arp', ['arpRequest']],
  ['ether src 0a58.0af4.0105 and arp', ['arpRequest']],
  ['host 10.244', ['syn', 'synAck', 'http', 'ping', 'arpRequest']],
  ['dst host 10.244.2 and tcp', ['syn', 'http']],
  ['vrrp or pim or igrp', []],
  ['ip6 multicast', []],
  ['ether broadcast', ['arpRequest']],
  ['ether proto 0x0806', ['arpRequest']],
  ['ip proto 17', ['dnsQuery', 'dnsAnswer', 'laterFragment', 'overlay']],
  ['proto 6', ['syn', 'synAck', 'http', 'tcp6']],
  ['less 64', ['ping', 'arpRequest', 'laterFragment', 'ping6', 'tcp6', 'tagged', 'dnsQuery']],
  ['greater 100', ['overlay']],
  ['len > 100', ['overlay']],
  ['vlan', ['tagged']],
  ['vlan 100 and ip', ['tagged']],
  ['vlan 101', []],
  ['vlan and host 10.244.9.9', ['tagged']],
  ['ip6 host fd00::5', ['ping6']],
  ['net fd00::/64', ['ping6', 'tcp6']],
  ['dst host fd00::7 and tcp port 80', ['tcp6']],
  ['not (host 10.244.1.5 or udp) && ip', []],
  ['host 10.244.1.5 and tcp or udp port 53', ['syn', 'synAck', 'http', 'dnsQuery', 'dnsAnswer']],
];

/** Of ours alone: libpcap's release knows no `vxlan`, and reads TCP's bytes of IPv4 only. */
const OWN_TABLE: readonly (readonly [filter: string, frames: readonly string[]])[] = [
  ['vxlan', ['overlay']],
  ['vxlan 1 and tcp dst port 80', ['overlay']],
  ['vxlan 2', []],
  ['udp port 4789 and vxlan and host 10.244.1.5', ['overlay']],
  ['not vxlan and udp and greater 70', ['dnsAnswer']],
];

describe('filters', () => {
  test.each([...TABLE, ...OWN_TABLE])('%s', (filter, frames) => {
    expect(passing(filter).sort()).toEqual([...frames].sort());
  });

  test('inbound and outbound', () => {
    const { buffer, length } = FRAMES.syn;
    const passes = compileFilter('outbound and tcp');
    expect(passes(new DataView(buffer), 0, length, length, true)).toBe(true);
    expect(passes(new DataView(buffer), 0, length, length, false)).toBe(false);
  });

  test("IPv6 multicast is the address's, not Ethernet's", () => {
    const bytes = FRAMES.ping6.slice();
    const passes = compileFilter('ip6 multicast');
    const judge = () => passes(new DataView(bytes.buffer), 0, bytes.length);
    bytes[0] = 0x33;
    expect(judge()).toBe(false);
    bytes[38] = 0xff; // first octet of the destination
    expect(judge()).toBe(true);
  });

  test('a frame that was cut off does not pass where bytes are missing', () => {
    const bytes = FRAMES.syn.subarray(0, 40);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    expect(compileFilter('host 10.244.1.5')(view, 0, 40)).toBe(true);
    expect(compileFilter('tcp[13] = 0')(view, 0, 40)).toBe(false);
    expect(compileFilter('not tcp[13] = 0')(view, 0, 40)).toBe(false);
    expect(compileFilter('greater 60')(view, 0, 40, 74)).toBe(true);
  });

  test.each([
    ['port', 'syntax error: the filter ends where a port from 0 to 65535 is expected (character 5 of the filter)'],
    ['port 70000', "'70000' stands where a port from 0 to 65535 is expected (character 6 of the filter)"],
    ['host web', "unknown host 'web': names are not resolved, give an address (character 6 of the filter)"],
    ['net 10.0.0.1/8', "non-network bits set in '10.0.0.1/8' (character 5 of the filter)"],
    ['icmp port 80', "'icmp' has no ports"],
    ['tcp[13 = 2', "'=' stands where ']' is expected (character 8 of the filter)"],
    ['tcp[13:3] = 2', 'a size of 1, 2 or 4 bytes'],
    ['(tcp', "the filter ends where ')' is expected"],
    ['tcp udp', "'udp' stands where 'and', 'or' or the end is expected"],
    ['tcp;', "';' begins no word of a filter (character 4"],
    ['vlan and', 'the filter ends where'],
    ['1 + 1', 'a comparison'],
    ['ip6 broadcast', 'IPv6 has no broadcast'],
    ['tcp or mpls 100', "'mpls' is not among what filters know here (character 8 of the filter)"],
    ['host 1.2.3.4.5', "'.' begins no word of a filter (character 7"],
    ['host 999.1', 'an address is expected'],
  ])('%s is refused', (filter, message) => {
    expect(() => compileFilter(filter)).toThrow(FilterError);
    expect(() => compileFilter(filter)).toThrow(message);
  });
});

const tcpdump = spawnSync('tcpdump', ['--version']).status === 0;
if (!tcpdump) console.warn('shared/wire/pcap-filter: no comparison with tcpdump, which is not on PATH');

describe.skipIf(!tcpdump)('tcpdump agrees', () => {
  const timestampNs = (index: number) => BigInt(index) * 1_000_000_000n;
  const file = Buffer.concat([
    fileHeader(65_535),
    ...Object.values(FRAMES).map((bytes, index) =>
      fileRecord({ timestampNs: timestampNs(index), bytes, wireBytes: bytes.length }),
    ),
  ]);

  test.each(TABLE)('%s', (filter, frames) => {
    const { stdout, stderr, status } = spawnSync('tcpdump', ['-nn', '-tt', '-r', '-', filter], { input: file });
    expect(status, stderr.toString()).toBe(0);
    const seconds = [...stdout.toString().matchAll(/^(\d+)\.000000 /gm)].map((match) => Number(match[1]));
    const names = Object.keys(FRAMES);
    expect(seconds.map((second) => names[second]).sort()).toEqual([...frames].sort());
  });
});

describe('for anything at all', () => {
  const words = [
    ...['host', 'net', 'port', 'portrange', 'src', 'dst', 'and', 'or', 'not', '(', ')', 'tcp', 'udp', 'ip', 'arp'],
    ...['10.0.0.1', '10.0.0.0/8', '80', '1-2', 'tcp[', ']', '[', ':', '2', '&', '!=', '0', 'vlan', 'vxlan', 'geneve'],
    ...['ether', 'len', '<', 'fd00::1', 'aa:bb:cc:dd:ee:ff', 'proto', 'mask', '-', 'tcp-syn', 'broadcast', '\\ip'],
  ];

  test('a text is a filter or a FilterError, and a filter never throws', () => {
    const text = fc.oneof(
      fc.array(fc.constantFrom(...words)).map((parts) => parts.join(' ')),
      fc.string(),
    );
    fc.assert(
      fc.property(text, fc.uint8Array({ maxLength: 120 }), (filter, bytes) => {
        let passes: ReturnType<typeof compileFilter>;
        try {
          passes = compileFilter(filter);
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
          return;
        }
        expect(typeof passes(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length)).toBe(
          'boolean',
        );
      }),
      { numRuns: 5000 },
    );
  });

  test('frames of any content and length are judged, never thrown over', () => {
    const filters = [...TABLE, ...OWN_TABLE].map(([filter]) => compileFilter(filter));
    const names = Object.keys(FRAMES) as (keyof typeof FRAMES)[];
    const mutant = fc
      .tuple(fc.constantFrom(...names), fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 8 }), fc.nat(160))
      .map(([name, changes, length]) => {
        const bytes = FRAMES[name].slice(0, length);
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        return bytes;
      });
    fc.assert(
      fc.property(mutant, (bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
        for (const passes of filters) passes(view, 0, bytes.length);
      }),
      { numRuns: 3000 },
    );
  });
});
