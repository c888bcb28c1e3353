/** arping of iputils: ARP requests through a device, and who answers (RFC 826; RFC 5227 with `-D`). */

import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { formatIpv4, formatMac, parseIpv4, parseMac } from '../../../../shared/wire/address.ts';
import * as arp from '../../../../shared/wire/arp.ts';
import * as ethernet from '../../../../shared/wire/ethernet.ts';
import { compileFilter } from '../../../../shared/wire/pcap-filter/compile.ts';
import type { ParsedOptions } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import type { PacketSocket, PacketSockets, SeenFrame } from '../../image.ts';
import { pause, write } from '../../program-io.ts';
import { IputilsError, readOptions, tellError } from '../ping/iputils-arguments.ts';
import { iputilsVersion } from '../ping/iputils-usage.ts';
import { findTarget, resolveSentence } from '../ping/target.ts';

const USAGE = `
Usage:
  arping [options] <destination>

Options:
  -f            quit on first reply
  -q            be quiet
  -b            keep on broadcasting, do not unicast
  -D            duplicate address detection mode
  -U            unsolicited ARP mode, update your neighbours
  -A            ARP answer mode, update your neighbours
  -V            print version and exit
  -c <count>    how many packets to send
  -w <timeout>  how long to wait for a reply
  -i <interval> set interval between packets (default: 1 second)
  -I <device>   which ethernet device to use
  -s <source>   source ip address
  <destination> dns name or ip address

For more details see arping(8).
`;

export const arping: Utility = async (run) => {
  try {
    const options = readOptions(run.args, { flags: 'hfqbDUAV', values: 'cwiIs' }, USAGE);
    if (options.has('V')) {
      await run.print(iputilsVersion('arping'));
      return 0;
    }
    const [host] = options.operands;
    if (host === undefined || options.operands.length > 1) throw new IputilsError('', 2, USAGE);
    const limits = {
      count: whole(options, 'c') ?? Number.POSITIVE_INFINITY,
      waitMs: (whole(options, 'w') ?? Number.POSITIVE_INFINITY) * 1000,
      intervalMs: (whole(options, 'i') ?? 1) * 1000,
    };
    const target = await findTarget(run.context, host, 4);
    return await new Arping(run, options, limits, target.address).run();
  } catch (error) {
    if (error instanceof ResolveError) {
      await run.complain(`${error.hostname}: ${resolveSentence(error)}`);
      return 2;
    }
    if (!(error instanceof IputilsError)) throw error;
    return await tellError(run, error);
  }
};

function whole(options: ParsedOptions, letter: string): number | undefined {
  const text = options.value(letter);
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new IputilsError(`invalid argument: '${text}'`, 1);
  return Number(text);
}

interface Limits {
  readonly count: number;
  readonly waitMs: number;
  readonly intervalMs: number;
}

/** The device that the requests leave through. */
interface Carrier {
  readonly name: string;
  readonly mac: number;
  readonly address: number;
}

class Arping {
  private readonly invocation: Invocation;
  private readonly options: ParsedOptions;
  private readonly limits: Limits;
  private readonly target: number;
  private readonly targetText: string;
  private readonly advertises: boolean;
  private sent = 0;
  private broadcasts = 0;
  private received = 0;
  private sentMs = 0;
  /** Of the first answer; later requests go to it alone. */
  private peerMac: number = ethernet.BROADCAST;

  constructor(run: Invocation, options: ParsedOptions, limits: Limits, target: string) {
    this.invocation = run;
    this.options = options;
    this.limits = limits;
    this.targetText = target;
    this.target = parseIpv4(target) ?? 0;
    this.advertises = options.has('A') || options.has('U');
  }

  async run(): Promise<number> {
    const { signal, container } = this.invocation.context;
    const packets = container.kernel?.packets;
    if (packets === undefined) throw new IputilsError('socket: Operation not permitted');
    const carrier = this.carrier();
    await this.tell(`ARPING ${this.targetText} from ${formatIpv4(carrier.address)} ${carrier.name}\n`);
    const socket = packets.open({ device: carrier.name, filter: compileFilter('arp'), snapBytes: 64 });
    const over = new AbortController();
    const ends = AbortSignal.any([signal, over.signal]);
    const hearing = this.hear(socket, carrier, () => over.abort());
    try {
      await this.ask(packets, carrier, ends);
    } finally {
      socket.close();
      await hearing;
    }
    await this.tell(
      `Sent ${this.sent} probes (${this.broadcasts} broadcast(s))\nReceived ${this.received} response(s)\n`,
    );
    if (this.options.has('D')) return this.received > 0 ? 1 : 0;
    return this.advertises || this.received > 0 ? 0 : 1;
  }

  private async ask(packets: PacketSockets, carrier: Carrier, ends: AbortSignal): Promise<void> {
    const { count, waitMs, intervalMs } = this.limits;
    const endMs = performance.now() + waitMs;
    while (!ends.aborted && this.sent < count && performance.now() < endMs) {
      this.send(packets, carrier);
      const leftMs = Math.max(0, endMs - performance.now());
      await pause(Math.min(intervalMs, leftMs), ends);
    }
  }

  private send(packets: PacketSockets, { name, mac, address }: Carrier): void {
    const { sent } = this;
    const to = this.options.has('b') || this.advertises ? ethernet.BROADCAST : this.peerMac;
    const frame = new Uint8Array(ethernet.HEADER_BYTES + arp.PACKET_BYTES);
    const view = new DataView(frame.buffer);
    const operation = this.options.has('A') ? arp.REPLY : arp.REQUEST;
    const asked = this.options.has('A') ? mac : to;
    ethernet.encode(view, 0, to, mac, ethernet.TYPE_ARP);
    arp.encode(view, ethernet.HEADER_BYTES, operation, mac, address, asked, this.target);
    this.sentMs = performance.now();
    this.sent = sent + 1;
    if (to === ethernet.BROADCAST) this.broadcasts += 1;
    if (!packets.transmit(name, frame)) throw new IputilsError('sendto: No buffer space available');
  }

  /** Prints answers until the socket is closed. */
  private async hear(socket: PacketSocket, carrier: Carrier, finish: () => void): Promise<void> {
    for (let frames = await socket.next(); frames !== undefined; frames = await socket.next()) {
      for (const frame of frames) {
        if (!this.isAnswer(frame, carrier)) continue;
        this.received += 1;
        await this.printAnswer(frame);
        if (this.options.has('f') || this.options.has('D') || this.received >= this.limits.count) finish();
      }
    }
  }

  private isAnswer({ bytes, outbound }: SeenFrame, { address, mac }: Carrier): boolean {
    const view = viewOf(bytes);
    if (outbound || !arp.check(view, ethernet.HEADER_BYTES, bytes.length - ethernet.HEADER_BYTES)) return false;
    const operation = arp.operation(view, ethernet.HEADER_BYTES);
    if (operation !== arp.REPLY && operation !== arp.REQUEST) return false;
    if (arp.senderIp(view, ethernet.HEADER_BYTES) !== this.target) return false;
    if (this.options.has('D')) return arp.senderMac(view, ethernet.HEADER_BYTES) !== mac;
    const toUs = arp.targetMac(view, ethernet.HEADER_BYTES) === mac;
    return toUs && arp.targetIp(view, ethernet.HEADER_BYTES) === address;
  }

  private async printAnswer({ bytes }: SeenFrame): Promise<void> {
    const view = viewOf(bytes);
    const mac = arp.senderMac(view, ethernet.HEADER_BYTES);
    const way = ethernet.isGroup(ethernet.destination(view, 0)) ? 'Broadcast' : 'Unicast';
    const what = arp.operation(view, ethernet.HEADER_BYTES) === arp.REQUEST ? 'request' : 'reply';
    this.peerMac = mac;
    const elapsed = (performance.now() - this.sentMs).toFixed(3).padStart(7);
    await this.tell(`${way} ${what} from ${this.targetText} [${formatMac(mac).toUpperCase()}]${elapsed}ms\n`);
  }

  private async tell(text: string): Promise<void> {
    if (!this.options.has('q')) await write(this.invocation.context.stdout, text);
  }

  /** By `-I`, else the one towards the target; the address is that of the device for it. */
  private carrier(): Carrier {
    const source = this.options.value('s');
    const name = this.options.value('I') ?? this.fact(['route', 'get', this.targetText], / dev (\S+)/);
    if (name === undefined) throw new IputilsError('connect: Network is unreachable');
    const link = this.ip(['link', 'show', 'dev', name]);
    if (link === '') throw new IputilsError(`Device ${name} not available.`);
    if (!/<[^>]*\bUP\b/.test(link)) throw new IputilsError(`Interface "${name}" is down`);
    const mac = parseMac(/link\/ether (\S+)/.exec(link)?.[1] ?? '');
    if (mac === undefined) throw new IputilsError('', 2, `Interface "${name}" is not ARPable\n`);
    const addresses = [...this.ip(['-4', 'addr', 'show', 'dev', name]).matchAll(/inet ([\d.]+)/g)].map(
      ([, own]) => own!,
    );
    if (source !== undefined && !this.ip(['-4', 'addr']).includes(`inet ${source}/`)) {
      throw new IputilsError('bind: Cannot assign requested address');
    }
    const own = source ?? this.ownAddress(name, addresses);
    return { name, mac, address: parseIpv4(own) ?? 0 };
  }

  private ownAddress(name: string, addresses: readonly string[]): string {
    if (this.options.has('D')) return '0.0.0.0';
    if (this.advertises) return this.targetText;
    const chosen = this.fact(['route', 'get', this.targetText, 'oif', name], / src (\S+)/);
    return chosen !== undefined && addresses.includes(chosen) ? chosen : (addresses[0] ?? chosen ?? '0.0.0.0');
  }

  private fact(words: readonly string[], pattern: RegExp): string | undefined {
    return pattern.exec(this.ip(words))?.[1];
  }

  private ip(words: readonly string[]): string {
    return this.invocation.context.container.kernel?.run(['ip', ...words]).stdout ?? '';
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
