/**
 * traceroute of Debian-like images ("modern traceroute for Linux"): many probes at once, printed in order. They are UDP datagrams to
 * ports where nobody listens, each to the next one; echo requests (`-I`), or SYNs (`-T`).
 */
import { isIPv6 } from 'node:net';
import type { PingOptions } from '../../../../shared/podnet/pod-network.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { familyAsked, findTarget, resolveSentence } from '../ping/target.ts';
import { FIRST_UDP_PORT, mark, type ProbeResult, probe } from './probe.ts';

const USAGE = `Usage:
  traceroute [ -46FITUn ] [ -f first_ttl ] [ -m max_ttl ] [ -N squeries ] [ -p port ] [ -w MAX ] [ -q nqueries ] host [ packetlen ]
Options:
  -4                          Use IPv4
  -6                          Use IPv6
  -F  --dont-fragment         Do not fragment packets
  -f first_ttl  --first=first_ttl
                              Start from the first_ttl hop (instead from 1)
  -I  --icmp                  Use ICMP ECHO for tracerouting
  -T  --tcp                   Use TCP SYN for tracerouting (default port is 80)
  -U  --udp                   Use UDP to particular port for tracerouting
                              (instead of increasing the port per each probe),
                              default port is 53
  -m max_ttl  --max-hops=max_ttl
                              Set the max number of hops (max TTL to be
                              reached). Default is 30
  -N squeries  --sim-queries=squeries
                              Set the number of probes to be tried
                              simultaneously (default is 16)
  -p port  --port=port        Set the destination port to use. It is either
                              initial udp port value for "default" method
                              (incremented by each probe, default is 33434), or
                              some constant destination port for other methods
                              (with default of 80 for "tcp", 53 for "udp")
  -n                          Do not resolve IP addresses to their domain names
  -w MAX  --wait=MAX          Wait for a probe no more than MAX (default 5.0)
                              seconds
  -q nqueries  --queries=nqueries
                              Set the number of probes per each hop. Default is
                              3
  -V  --version               Print version info and exit
`;

const MAX_HOPS = 255;
const MAX_PROBES = 10;
const MIN_PACKET_BYTES = 28;
const IPV6_HEADER_BYTES = 48;
const DEFAULT_PAYLOAD_BYTES = 32;
const MAX_PACKET_BYTES = 65_000;
/** A silent hop is given up once a farther one has answered: ten times as late as that, and at least so long. */
const NEAR_FACTOR = 10;
const MIN_NEAR_WAIT_MS = 200;

interface Settings {
  readonly host: string;
  /** 0: not said. */
  readonly packetBytes: number;
  readonly headerBytes: number;
  readonly firstHop: number;
  readonly maxHops: number;
  readonly probes: number;
  readonly atOnce: number;
  readonly waitMs: number;
  readonly numeric: boolean;
  readonly dontFragment: boolean;
  readonly method: Method;
  /** Of the first probe. */
  readonly port: number;
}

/** `default` is UDP to one port after the other. */
type Method = 'default' | 'udp' | 'tcp' | 'icmp';

const FIRST_PORTS: Readonly<Record<Method, number>> = { default: FIRST_UDP_PORT, udp: 53, tcp: 80, icmp: 0 };
const MAX_PORT = 65_535;

/** Printed as it is, without the program's name. */
class TracerouteError extends Error {
  override readonly name = 'TracerouteError';
}

export const traceroute: Utility = async (run) => {
  if (run.args.length === 0 || run.args[0] === '--help') {
    await run.print(USAGE);
    return 0;
  }
  if (run.args[0] === '-V' || run.args[0] === '--version') {
    await run.print('Modern traceroute for Linux, version 2.1.2\n');
    return 0;
  }
  try {
    const options = read(run.args);
    const asked = parse(run.args, options);
    const target = await findTarget(run.context, asked.host, familyAsked(run, options));
    const settings = sizedFor(asked, isIPv6(target.address) ? IPV6_HEADER_BYTES : MIN_PACKET_BYTES);
    await run.print(
      `traceroute to ${target.name} (${target.address}), ${settings.maxHops} hops max, ${settings.packetBytes} byte packets\n`,
    );
    return await new Trace(run, settings, target.address).run();
  } catch (error) {
    if (error instanceof TracerouteError) await write(run.context.stderr, `${error.message}\n`);
    else if (error instanceof ResolveError) {
      const position = run.args.indexOf(error.hostname) + 1;
      await write(
        run.context.stderr,
        `${error.hostname}: ${resolveSentence(error)}\n` +
          `Cannot handle "host" cmdline arg \`${error.hostname}' on position 1 (argc ${position})\n`,
      );
    } else throw error;
    return 2;
  }
};

/** A packet has room for its headers, and by default for 32 bytes more. */
function sizedFor(settings: Omit<Settings, 'headerBytes'>, headerBytes: number): Settings {
  const packetBytes = Math.max(headerBytes, settings.packetBytes || headerBytes + DEFAULT_PAYLOAD_BYTES);
  return { ...settings, packetBytes, headerBytes };
}

function parse(args: readonly string[], options: ParsedOptions): Omit<Settings, 'headerBytes'> {
  const [host, length, extra] = options.operands;
  if (extra !== undefined) throw new TracerouteError(`Extra arg \`${extra}' (position 3, argc ${args.length})`);
  if (host === undefined) throw new TracerouteError('Specify "host" missing argument.');
  const method = methodOf(options);
  const settings = {
    host,
    method,
    port: numberOf(options, 'p', FIRST_PORTS[method]),
    packetBytes: length === undefined ? 0 : Math.max(MIN_PACKET_BYTES, whole(length, 'packetlen')),
    firstHop: numberOf(options, 'f', 1),
    maxHops: numberOf(options, 'm', 30),
    probes: numberOf(options, 'q', 3),
    atOnce: Math.max(1, numberOf(options, 'N', 16)),
    waitMs: seconds(options) * 1000,
    numeric: options.has('n'),
    dontFragment: options.has('F'),
  };
  if (settings.maxHops > MAX_HOPS) throw new TracerouteError(`max hops cannot be more than ${MAX_HOPS}`);
  if (settings.firstHop < 1 || settings.firstHop > settings.maxHops) {
    throw new TracerouteError('first hop out of range');
  }
  if (settings.probes < 1 || settings.probes > MAX_PROBES) {
    throw new TracerouteError(`no more than ${MAX_PROBES} probes per hop`);
  }
  if (settings.packetBytes > MAX_PACKET_BYTES) throw new TracerouteError(`too big packetlen ${length} specified`);
  return settings;
}

function methodOf(options: ParsedOptions): Method {
  if (options.has('I')) return 'icmp';
  if (options.has('T')) return 'tcp';
  return options.has('U') ? 'udp' : 'default';
}

function read(args: readonly string[]): ParsedOptions {
  try {
    return parseOptions(args, {
      flags: '46dFITnreAUD',
      values: 'fgimNptlwqszMOP',
      long: {
        'dont-fragment': 'F',
        icmp: 'I',
        tcp: 'T',
        udp: 'U',
        'first=': 'f',
        'max-hops=': 'm',
        'sim-queries=': 'N',
        'wait=': 'w',
        'queries=': 'q',
        'port=': 'p',
      },
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const letter = /: (.)$/.exec(error.message)?.[1];
    if (letter === undefined || error.message.includes('requires')) throw new TracerouteError(error.message);
    const position = args.findIndex((word) => word.startsWith('-') && word.includes(letter)) + 1;
    throw new TracerouteError(`Bad option \`-${letter}' (argc ${position})`);
  }
}

function numberOf(options: ParsedOptions, letter: string, standard: number): number {
  const text = options.value(letter);
  return text === undefined ? standard : whole(text, `-${letter}`);
}

function whole(text: string, what: string): number {
  if (!/^\d+$/.test(text)) throw new TracerouteError(`Cannot handle \`${what}' option with arg \`${text}'`);
  return Number(text);
}

/** `MAX[,HERE,NEAR]`. */
function seconds(options: ParsedOptions): number {
  const text = options.value('w') ?? '5';
  const value = Number(text.split(',')[0] || Number.NaN);
  if (!(value >= 0)) throw new TracerouteError(`Cannot handle \`-w' option with arg \`${text}'`);
  return value;
}

interface Pending {
  readonly hop: number;
  readonly sentMs: number;
  readonly giveUp: AbortController;
}

class Trace {
  private readonly invocation: Invocation;
  private readonly settings: Settings;
  private readonly address: string;
  private readonly names = new Map<string, string | undefined>();
  private readonly pending = new Set<Pending>();
  private readonly timers = new Set<NodeJS.Timeout>();
  /** The nearest hop that ends the trace. */
  private lastHop: number;

  constructor(invocation: Invocation, settings: Settings, address: string) {
    this.invocation = invocation;
    this.settings = settings;
    this.address = address;
    this.lastHop = settings.maxHops;
  }

  async run(): Promise<number> {
    const { firstHop, probes, atOnce } = this.settings;
    const waiting: Promise<ProbeResult>[] = [];
    let next = 0;
    const send = (): void => {
      const hop = firstHop + Math.floor(next / probes);
      if (hop > this.lastHop) return;
      const result = this.send(hop, next);
      // Looked at in its turn; until then a failure is nobody's.
      result.catch((error: unknown) => error);
      waiting.push(result);
      next += 1;
    };
    for (let count = 0; count < atOnce; count++) send();
    try {
      for (let hop = firstHop; hop <= this.lastHop && !this.invocation.context.signal.aborted; hop++) {
        await this.printHop(hop, () => {
          const result = waiting.shift();
          send();
          return result;
        });
      }
    } catch (error) {
      const code = socketErrorCode(error);
      if (code === undefined) throw error;
      await write(this.invocation.context.stderr, `connect: ${socketErrorText(code)}\n`);
      return 1;
    } finally {
      for (const { giveUp } of this.pending) giveUp.abort();
      for (const timer of this.timers) clearTimeout(timer);
    }
    return 0;
  }

  private async printHop(hop: number, take: () => Promise<ProbeResult> | undefined): Promise<void> {
    let from = '';
    for (let index = 0; index < this.settings.probes; index++) {
      const result = await take();
      if (index === 0 && result !== undefined) await this.invocation.print(`${String(hop).padStart(2)} `);
      if (result === undefined) break;
      if (result.kind === 'silence') {
        await this.invocation.print(' *');
        continue;
      }
      const host = result.from === from ? '' : ` ${await this.nameOf(result.from)}`;
      const gap = result.from === from || index === 0 ? host : ` ${host}`;
      await this.invocation.print(`${gap}  ${result.rttMs.toFixed(3)} ms${mark(result.outcome)}`);
      from = result.from;
    }
    await this.invocation.print('\n');
  }

  private async send(hop: number, sequence: number): Promise<ProbeResult> {
    const { packetBytes, headerBytes, waitMs, dontFragment } = this.settings;
    const { container, process, signal } = this.invocation.context;
    const pending: Pending = { hop, sentMs: performance.now(), giveUp: new AbortController() };
    this.pending.add(pending);
    const request = {
      address: this.address,
      ttl: hop,
      payloadBytes: packetBytes - headerBytes,
      dontFragment,
      identifier: process.pid & 0xffff,
      sequence: sequence & 0xffff,
      timeoutMs: waitMs,
      ...this.way(sequence),
    };
    try {
      const result = await probe(container.network, request, AbortSignal.any([pending.giveUp.signal, signal]));
      if (result.kind === 'answer') this.learn(hop, result.rttMs, result.isFinal);
      return result;
    } catch (error) {
      if (socketErrorCode(error) === 'ECANCELED') return { kind: 'silence' };
      throw error;
    } finally {
      this.pending.delete(pending);
    }
  }

  /** The protocol and port of a probe; nothing for an echo request. */
  private way(sequence: number): Pick<PingOptions, 'via' | 'port'> {
    const { method, port } = this.settings;
    if (method === 'icmp') return {};
    if (method === 'default') return { via: 'udp', port: (port + sequence) & MAX_PORT };
    return { via: method, port };
  }

  /** An answer from a hop says how far the trace goes, and how long nearer ones may still take. */
  private learn(hop: number, rttMs: number, isFinal: boolean): void {
    if (isFinal) this.lastHop = Math.min(this.lastHop, hop);
    const waitMs = Math.max(MIN_NEAR_WAIT_MS, rttMs * NEAR_FACTOR);
    for (const pending of this.pending) {
      if (pending.hop > hop) continue;
      const leftMs = Math.max(0, pending.sentMs + waitMs - performance.now());
      const timer = setTimeout(() => {
        this.timers.delete(timer);
        pending.giveUp.abort();
      }, leftMs);
      this.timers.add(timer);
    }
  }

  /** `address` with `-n`, else `name (address)` with the address for a name when there is none. */
  private async nameOf(address: string): Promise<string> {
    if (this.settings.numeric) return address;
    if (!this.names.has(address)) {
      const { container, signal } = this.invocation.context;
      this.names.set(address, await container.resolver.lookupAddress(address, signal));
    }
    return `${this.names.get(address) ?? address} (${address})`;
  }
}
