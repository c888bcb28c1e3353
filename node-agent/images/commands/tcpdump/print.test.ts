/** What is printed of each kind of frame, beside what tcpdump itself prints of it where it is installed. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as ethernet from '../../../../shared/wire/ethernet.ts';
import * as geneve from '../../../../shared/wire/geneve.ts';
import * as gre from '../../../../shared/wire/gre.ts';
import * as icmp from '../../../../shared/wire/icmp.ts';
import * as ipip from '../../../../shared/wire/ipip.ts';
import * as ipv4 from '../../../../shared/wire/ipv4.ts';
import { fileHeader, fileRecord } from '../../../../shared/wire/pcap-file.ts';
import { FRAMES } from '../../../../shared/wire/pcap-filter/frames.testkit.ts';
import { FrameText } from './frame-text.ts';
import { parseTcpdump } from './options.ts';

const START_S = 1_700_000_000;

function ipFrame(protocol: number, payload: Uint8Array, from = 0x0a00_0001, to = 0x0a00_0002): Uint8Array {
  const bytes = new Uint8Array(34 + payload.length);
  const view = new DataView(bytes.buffer);
  ethernet.encode(view, 0, 0x0200_0000_0001, 0x0200_0000_0002, ethernet.TYPE_IPV4);
  ipv4.encode(view, 14, 20 + payload.length, 7, true, 64, protocol, from, to);
  bytes.set(payload, 34);
  return bytes;
}

/** An ICMP error about a packet of the frames above. */
function errorFrame(type: number, code: number, rest: number, quoted: Uint8Array): Uint8Array {
  const message = new Uint8Array(8 + 28);
  icmp.encode(new DataView(message.buffer), 0, type, code, rest);
  message.set(quoted.subarray(14, 42), 8);
  return ipFrame(ipv4.PROTOCOL_ICMP, message);
}

function tunnelled(head: (view: DataView) => number, inner: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(80 + inner.length);
  const size = head(new DataView(bytes.buffer));
  bytes.set(inner, size);
  return bytes.subarray(0, size + inner.length);
}

function geneveFrame(): Uint8Array {
  const data = tunnelled((view) => geneve.encode(view, 0, { vni: 42 }), FRAMES.ping);
  const datagram = new Uint8Array(8 + data.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, 50_000);
  view.setUint16(2, geneve.PORT);
  view.setUint16(4, datagram.length);
  datagram.set(data, 8);
  return ipFrame(ipv4.PROTOCOL_UDP, datagram);
}

function ipipFrame(): Uint8Array {
  const inner = FRAMES.ping.subarray(14);
  const bytes = new Uint8Array(34 + inner.length);
  const view = new DataView(bytes.buffer);
  bytes.set(inner, 34);
  ethernet.encode(view, 0, 1, 2, ethernet.TYPE_IPV4);
  ipip.encode(view, 14, 9, 63, 0xc0a8_010a, 0xc0a8_010b);
  return bytes;
}

function ednsQuery(): Uint8Array {
  const query = FRAMES.dnsQuery.subarray(42);
  const option = Uint8Array.of(0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0);
  const datagram = new Uint8Array(8 + query.length + option.length);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, 41_000);
  view.setUint16(2, 53);
  view.setUint16(4, datagram.length);
  datagram.set(query, 8);
  datagram.set(option, 8 + query.length);
  view.setUint16(18, 1);
  return ipFrame(ipv4.PROTOCOL_UDP, datagram);
}

function rewritten(frame: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = frame.slice();
  change(new DataView(copy.buffer));
  return copy;
}

const MORE: Readonly<Record<string, Uint8Array>> = {
  arpReply: rewritten(FRAMES.arpRequest, (view) => view.setUint16(20, 2)),
  portUnreachable: errorFrame(3, 3, 0, FRAMES.dnsQuery),
  hostUnreachable: errorFrame(3, 1, 0, FRAMES.syn),
  netUnreachable: errorFrame(3, 0, 0, FRAMES.syn),
  fragNeeded: errorFrame(3, 4, 1400, FRAMES.syn),
  prohibited: errorFrame(3, 13, 0, FRAMES.syn),
  timeExceeded: errorFrame(11, 0, 0, FRAMES.ping),
  ipip: ipipFrame(),
  gre: ipFrame(
    gre.PROTOCOL,
    tunnelled((view) => gre.encode(view, 0, { type: 0x0800 }), FRAMES.ping.subarray(14)),
  ),
  greKeyed: ipFrame(
    gre.PROTOCOL,
    tunnelled((view) => gre.encode(view, 0, { type: 0x0800, key: 42 }), FRAMES.ping.subarray(14)),
  ),
  geneve: geneveFrame(),
  badTcp: rewritten(FRAMES.syn, (view) => view.setUint16(50, 0x1234)),
  reset: rewritten(FRAMES.syn, (view) => view.setUint8(47, 0x14)),
  nxdomain: rewritten(FRAMES.dnsQuery, (view) => view.setUint16(44, 0x8583)),
  dnsWithEdns: ednsQuery(),
  sctp: ipFrame(200, new Uint8Array(12)),
};
const ALL = { ...FRAMES, ...MORE };

function printed(args: string): string {
  const text = new FrameText(parseTcpdump(args.split(' ').filter(Boolean)));
  return Object.values(ALL)
    .map((bytes, index) =>
      text.frameText({
        timestampNs: BigInt(START_S + index) * 1_000_000_000n,
        bytes,
        wireBytes: bytes.length,
        outbound: false,
        cooked: undefined,
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

const tcpdump = spawnSync('tcpdump', ['--version']).status === 0;
if (!tcpdump) console.warn('tcpdump/print: no comparison with tcpdump, which is not on PATH');

describe.skipIf(!tcpdump)('as tcpdump prints it', () => {
  const file = Buffer.concat([
    fileHeader(65_535),
    ...Object.values(ALL).map((bytes, index) =>
      fileRecord({ timestampNs: BigInt(START_S + index) * 1_000_000_000n, bytes, wireBytes: bytes.length }),
    ),
  ]);

  test.each([
    '-n',
    '-nn -e',
    '-n -t',
    '-n -tt -q',
    '-n -ttt',
    '-n -tttt',
    '-n -S',
    '-n -v',
    '-n -vv',
    '-n -t -X',
    '-n -x',
    '-n -A',
  ])('tcpdump %s', (args) => {
    const { stdout } = spawnSync('tcpdump', [...args.split(' '), '-r', '-'], {
      input: file,
      env: { TZ: 'UTC', PATH: process.env.PATH },
    });
    expect(printed(args)).toBe(stdout.toString('latin1'));
  });
});

test('lines of the most common kinds', () => {
  const lines = printed('-n -t').split('\n');
  expect(lines[0]).toBe(
    'IP 10.244.1.5.40000 > 10.244.2.7.80: Flags [S], seq 1000000, win 64860, options [mss 1410,sackOK,TS val 1000 ecr 0,nop,wscale 7], length 0',
  );
  expect(lines[3]).toBe('IP 10.0.1.9.41000 > 10.96.0.10.53: 4660+ A? web. (21)');
  expect(lines[4]).toBe('IP 10.96.0.10.53 > 10.0.1.9.41000: 4660* 1/0/0 A 10.96.12.3 (37)');
  expect(lines[6]).toBe('ARP, Request who-has 10.244.1.1 tell 10.244.1.5, length 28');
  expect(lines[8]).toBe('IP 192.168.1.10.50000 > 192.168.1.11.4789: VXLAN, flags [I] (0x08), vni 1');
});

test('frames of any content and length are printed, never thrown over', () => {
  const names = Object.keys(ALL) as (keyof typeof ALL)[];
  const mutant = fc
    .tuple(fc.constantFrom(...names), fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 8 }), fc.nat(160))
    .map(([name, changes, length]) => {
      const bytes = ALL[name]!.slice(0, length);
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
      return bytes;
    });
  const texts = ['-n', '-nevvX', '-q'].map((args) => new FrameText(parseTcpdump([args])));
  fc.assert(
    fc.property(fc.oneof(mutant, fc.uint8Array({ maxLength: 100 })), (bytes) => {
      for (const text of texts) {
        text.frameText({ timestampNs: 0n, bytes, wireBytes: bytes.length, outbound: false, cooked: undefined });
      }
    }),
    { numRuns: 4000 },
  );
});
