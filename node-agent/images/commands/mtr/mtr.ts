/** mtr in its report modes: every hop to a host, asked again and again, with its losses and round trips. */
import type { PingOptions } from '../../../../shared/podnet/pod-network.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { pause } from '../../program-io.ts';
import { getoptSentence } from '../getopt-sentence.ts';
import { familyAsked, findTarget, resolveSentence } from '../ping/target.ts';
import { FIRST_UDP_PORT, type ProbeResult, probe } from '../traceroute/probe.ts';
import { Hop } from './hop.ts';
import {
  csvText,
  isField,
  jsonText,
  type NamedHop,
  type Report,
  STANDARD_FIELDS,
  tableText,
  VERSION,
} from './report.ts';

const DEFAULT_CYCLES = 10;
const DEFAULT_MAX_HOPS = 30;
/** Hops in a row that say nothing end the path (`-U`). */
const MAX_SILENT_HOPS = 12;
const DEFAULT_PACKET_BYTES = 64;
/** Above it the original's helper refuses. */
const MAX_PACKET_BYTES = 4470;
const HEADER_BYTES = 28;
const MAX_TTL = 255;
/** Of a number in C. */
const MAX_INT = 2_147_483_647;
const DEFAULT_TIMEOUT_S = 10;
/** A cycle waits for what is still under way no longer than this once all others have answered. */
const GRACE_S = 5;

export const mtr: Utility = async (run) => {
  try {
    const options = read(run.args);
    if (options.has('v')) {
      await run.print(`mtr ${VERSION}\n`);
      return 0;
    }
    const settings = parse(options);
    const [host = 'localhost'] = options.operands;
    const target = await findTarget(run.context, host, familyAsked(run, options));
    const path = new Path(run, settings, target.address);
    const startedMs = Date.now();
    await path.run();
    const { fields, cycles, packetBytes } = settings;
    const source = run.context.container.hostname;
    const hops = await path.named();
    await run.print(settings.print({ startedMs, source, target: host, fields, cycles, packetBytes, hops }));
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      await run.complain(error.message);
      return 1;
    }
    if (error instanceof ResolveError) {
      await run.complain(`Failed to resolve host: ${error.hostname}: ${resolveSentence(error)}`);
      return 0;
    }
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    await run.complain(`Unexpected mtr-packet error: ${socketErrorText(code)}`);
    return 1;
  }
};

interface Settings {
  readonly print: (report: Report) => string;
  readonly cycles: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly firstHop: number;
  readonly maxHops: number;
  readonly maxSilentHops: number;
  readonly packetBytes: number;
  readonly way: Pick<PingOptions, 'via' | 'port'>;
  readonly fields: string;
  readonly numeric: boolean;
  readonly both: boolean;
}

function read(args: readonly string[]): ParsedOptions {
  try {
    return parseOptions(args, {
      flags: '46rwnbjCTuvze',
      values: 'cimfsoPUZGaIQBL',
      long: {
        report: 'r',
        'report-wide': 'w',
        'no-dns': 'n',
        'show-ips': 'b',
        json: 'j',
        csv: 'C',
        tcp: 'T',
        udp: 'u',
        version: 'v',
        'report-cycles=': 'c',
        'interval=': 'i',
        'max-ttl=': 'm',
        'first-ttl=': 'f',
        'psize=': 's',
        'order=': 'o',
        'port=': 'P',
        'max-unknown=': 'U',
        'timeout=': 'Z',
        'gracetime=': 'G',
      },
    });
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(getoptSentence(error));
    throw error;
  }
}

function parse(options: ParsedOptions): Settings {
  const fields = options.value('o') ?? STANDARD_FIELDS;
  const unknown = [...fields].find((letter) => !isField(letter));
  if (unknown !== undefined) throw new UsageError(`Unknown field identifier: ${unknown}`);
  const intervalMs = seconds(options, 'i', 1) * 1000;
  if (intervalMs === 0) throw new UsageError('wait time must be positive');
  const packetBytes = whole(options, 's', DEFAULT_PACKET_BYTES);
  if (packetBytes > MAX_PACKET_BYTES) throw new UsageError('mtr-packet reported invalid argument');
  const maxHops = Math.min(Math.max(whole(options, 'm', DEFAULT_MAX_HOPS), 1), MAX_TTL);
  return {
    print: printer(options),
    cycles: whole(options, 'c', DEFAULT_CYCLES),
    intervalMs,
    timeoutMs: Math.min(seconds(options, 'Z', DEFAULT_TIMEOUT_S), seconds(options, 'G', GRACE_S)) * 1000,
    firstHop: Math.min(Math.max(whole(options, 'f', 1), 1), maxHops),
    maxHops,
    maxSilentHops: whole(options, 'U', MAX_SILENT_HOPS),
    packetBytes,
    way: wayOf(options),
    fields,
    numeric: options.has('n'),
    both: options.has('b'),
  };
}

function printer(options: ParsedOptions): Settings['print'] {
  if (options.has('j')) return jsonText;
  if (options.has('C')) return csvText;
  if (options.has('w')) return (report) => tableText(report, true);
  if (options.has('r')) return (report) => tableText(report, false);
  throw new UsageError('podwire: reports are printed here: say -r, -w, -j or -C');
}

/** Echo requests, unless `-T` or `-u`. */
function wayOf(options: ParsedOptions): Settings['way'] {
  if (options.has('T')) return { via: 'tcp', port: port(options, 80) };
  return options.has('u') ? { via: 'udp', port: port(options, FIRST_UDP_PORT) } : {};
}

function port(options: ParsedOptions, standard: number): number {
  const value = whole(options, 'P', standard);
  if (value < 1 || value > 65_535) throw new UsageError(`Illegal port number: ${value}`);
  return value;
}

function whole(options: ParsedOptions, letter: string, standard: number): number {
  const value = seconds(options, letter, standard);
  if (!Number.isInteger(value) || value > MAX_INT) throw invalid(options.value(letter)!);
  return value;
}

/** Or a part of one. */
function seconds(options: ParsedOptions, letter: string, standard: number): number {
  const text = options.value(letter);
  if (text === undefined) return standard;
  const value = Number(text);
  if (!(text.trim() !== '' && value >= 0)) throw invalid(text);
  return value;
}

function invalid(text: string): UsageError {
  return new UsageError(`invalid argument: '${text}'`);
}

class Path {
  private readonly invocation: Invocation;
  private readonly settings: Settings;
  private readonly address: string;
  private readonly hops: Hop[] = [];
  /** Known once the target answered, or the last silent hop that is asked did not. */
  private lastHop: number;
  private sequence = 0;

  constructor(invocation: Invocation, settings: Settings, address: string) {
    this.invocation = invocation;
    this.settings = settings;
    this.address = address;
    this.lastHop = settings.maxHops;
  }

  async run(): Promise<void> {
    const { cycles, intervalMs } = this.settings;
    const { signal } = this.invocation.context;
    for (let cycle = 0; cycle < cycles && !signal.aborted; cycle++) {
      const beganMs = performance.now();
      await (cycle === 0 ? this.explore() : this.askAll());
      if (cycle + 1 < cycles) await pause(Math.max(0, beganMs + intervalMs - performance.now()), signal);
    }
  }

  /** The hops as they are shown. */
  async named(): Promise<NamedHop[]> {
    const { firstHop } = this.settings;
    const shown = this.hops.slice(firstHop - 1, this.lastHop);
    return Promise.all(
      shown.map(async (hop, at) => ({ number: firstHop + at, host: await this.nameOf(hop.address), hop })),
    );
  }

  /** The first cycle finds the hops one by one; those that are silent are waited for in the end. */
  private async explore(): Promise<void> {
    const { firstHop, maxHops, maxSilentHops, intervalMs } = this.settings;
    const { signal } = this.invocation.context;
    const asked: Promise<void>[] = [];
    for (let number = firstHop, silent = 0; number <= Math.min(maxHops, this.lastHop); number++) {
      const asking = this.ask(number);
      // Looked at in the end; until then a failure is nobody's.
      asking.catch((error: unknown) => error);
      asked.push(asking);
      await Promise.race([asking, pause(intervalMs, signal)]);
      silent = this.hops[number - 1]!.returned > 0 ? 0 : silent + 1;
      if (silent >= maxSilentHops) this.lastHop = Math.min(this.lastHop, number);
    }
    this.lastHop = Math.min(this.lastHop, this.hops.length);
    await Promise.all(asked);
  }

  private async askAll(): Promise<void> {
    const asked: Promise<void>[] = [];
    for (let number = this.settings.firstHop; number <= this.lastHop; number++) asked.push(this.ask(number));
    await Promise.all(asked);
  }

  private async ask(number: number): Promise<void> {
    const { packetBytes, timeoutMs, way } = this.settings;
    const { container, signal } = this.invocation.context;
    while (this.hops.length < number) this.hops.push(new Hop());
    const hop = this.hops[number - 1]!;
    hop.sent += 1;
    const request = {
      address: this.address,
      ttl: number,
      payloadBytes: Math.max(0, packetBytes - HEADER_BYTES),
      sequence: this.sequence++ & 0xffff,
      timeoutMs,
      ...way,
    };
    const result = await probe(container.network, request, signal);
    if (result.kind === 'answer') this.learn(number, hop, result);
  }

  private learn(number: number, hop: Hop, { from, rttMs, isFinal }: Extract<ProbeResult, { kind: 'answer' }>): void {
    hop.answered(from, rttMs);
    if (isFinal) this.lastHop = Math.min(this.lastHop, number);
  }

  private async nameOf(address: string | undefined): Promise<string> {
    if (address === undefined) return '???';
    const { numeric, both } = this.settings;
    if (numeric) return address;
    const { container, signal } = this.invocation.context;
    const name = await container.resolver.lookupAddress(address, signal);
    if (name === undefined) return address;
    return both ? `${name} (${address})` : name;
  }
}
