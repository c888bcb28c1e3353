/** tracepath of iputils: the hops to a host and the MTU of the path, found with UDP datagrams that nobody may cut. */
import { isIPv6 } from 'node:net';
import type { PingOutcome } from '../../../../shared/podnet/pod-network.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import type { ParsedOptions } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { IputilsError, readOptions, tellError, wholeNumber } from '../ping/iputils-arguments.ts';
import { iputilsVersion } from '../ping/iputils-usage.ts';
import { familyAsked, findTarget, mtuTowards, resolveSentence } from '../ping/target.ts';
import { mark, PORT_UNREACHABLE, type ProbeResult, probe } from '../traceroute/probe.ts';

const USAGE = `
Usage
  tracepath [options] <destination>

Options:
  -4             use IPv4
  -6             use IPv6
  -b             print both name and ip
  -l <length>    use packet <length>
  -m <hops>      use maximum <hops>
  -n             no dns name resolution
  -p <port>      use destination <port>
  -V             print version and exit
  <destination>  dns name or ip address

For more details see tracepath(8).
`;

const USAGE_EXIT_CODE = 255;
const DEFAULT_HOPS = 30;
const DEFAULT_PORT = 44_444;
const MAX_PORT = 0xffff;
const MAX_TTL = 255;
/** Of a number in C. */
const MAX_INT = 2_147_483_647;
const MAX_PACKET_BYTES = 65_535;
const HEADER_BYTES = { 4: 28, 6: 48 } as const;
const PROBE_TIMEOUT_MS = 1000;
const PROBES_PER_HOP = 3;
const HOST_COLUMN_WIDTH = 52;
/** With which hosts send, the next of them above what came. */
const USUAL_TTLS = [64, 128, 256];

export const tracepath: Utility = async (run) => {
  try {
    const options = readOptions(run.args, { flags: '46bnhV', values: 'lmp' }, USAGE, USAGE_EXIT_CODE);
    if (options.has('V')) {
      await run.print(iputilsVersion('tracepath'));
      return 0;
    }
    const [host] = options.operands;
    if (host === undefined || options.operands.length > 1) throw new IputilsError('', USAGE_EXIT_CODE, USAGE);
    return await trace(run, host, options);
  } catch (error) {
    if (error instanceof IputilsError) return await tellError(run, error);
    throw error;
  }
};

async function trace(run: Invocation, host: string, options: ParsedOptions): Promise<number> {
  try {
    const target = await findTarget(run.context, host, familyAsked(run, options));
    const settings = {
      address: target.address,
      port: wholeNumber(options, 'p', 0, MAX_PORT) ?? DEFAULT_PORT,
      maxHops: wholeNumber(options, 'm', 0, MAX_TTL) ?? DEFAULT_HOPS,
      numeric: options.has('n'),
      both: options.has('b'),
    };
    await new Path(run, settings, wholeNumber(options, 'l', 0, MAX_INT) || MAX_PACKET_BYTES).run();
    return 0;
  } catch (error) {
    const code = socketErrorCode(error);
    if (error instanceof ResolveError) await run.complain(`${host}: ${resolveSentence(error)}`);
    else if (code !== undefined) await run.complain(`send failed: ${socketErrorText(code)}`);
    else throw error;
    return 1;
  }
}

interface Settings {
  readonly address: string;
  readonly port: number;
  readonly maxHops: number;
  readonly numeric: boolean;
  readonly both: boolean;
}

class Path {
  private readonly invocation: Invocation;
  private readonly settings: Settings;
  private readonly headerBytes: number;
  private mtuBytes: number;
  private sent = 0;
  private hopsTo: number | undefined;
  private hopsBack: number | undefined;

  constructor(invocation: Invocation, settings: Settings, packetBytes: number) {
    this.invocation = invocation;
    this.settings = settings;
    this.headerBytes = HEADER_BYTES[isIPv6(settings.address) ? 6 : 4];
    this.mtuBytes = packetBytes;
  }

  async run(): Promise<void> {
    const { maxHops } = this.settings;
    let hop = 1;
    while (hop <= maxHops && !(await this.printHop(hop))) hop += 1;
    if (hop > maxHops) await this.invocation.print(`     Too many hops: pmtu ${this.mtuBytes}\n`);
    const to = this.hopsTo === undefined ? '' : `hops ${this.hopsTo} `;
    const back = this.hopsBack === undefined ? '' : `back ${this.hopsBack} `;
    await this.invocation.print(`     Resume: pmtu ${this.mtuBytes} ${to}${back}\n`);
  }

  /** True where the path ends here. A hop is asked again, and printed, once the MTU turned out smaller. */
  private async printHop(hop: number): Promise<boolean> {
    for (let silent = 0; silent < PROBES_PER_HOP; ) {
      const mtuBytes = this.mtuBytes;
      const result = await this.probe(hop);
      const ends = result.kind === 'answer' && (await this.printAnswer(hop, result));
      if (this.mtuBytes !== mtuBytes) silent = 0;
      else if (result.kind === 'answer') return ends;
      else silent += 1;
    }
    await this.invocation.print(`${number(hop)}:  no reply\n`);
    return false;
  }

  /** What the machine itself does not let through is sent again, as long as it lets. */
  private async probe(hop: number): Promise<ProbeResult> {
    const { container, signal } = this.invocation.context;
    const { address, port } = this.settings;
    for (;;) {
      const known = mtuTowards(container, address);
      if (known !== undefined && known < this.mtuBytes) {
        this.mtuBytes = known;
        await this.invocation.print(`${number(hop)}?: ${'[LOCALHOST]'.padEnd(33)}pmtu ${known}\n`);
      }
      const request = {
        address,
        ttl: hop,
        via: 'udp',
        port: (port + this.sent++) & MAX_PORT,
        payloadBytes: Math.max(0, this.mtuBytes - this.headerBytes),
        dontFragment: true,
        timeoutMs: PROBE_TIMEOUT_MS,
      } as const;
      try {
        return await probe(container.network, request, signal);
      } catch (error) {
        const learned = mtuTowards(container, address);
        const smaller = learned !== undefined && learned < this.mtuBytes;
        if (socketErrorCode(error) !== 'EMSGSIZE' || !smaller) throw error;
      }
    }
  }

  private async printAnswer(hop: number, answer: Extract<ProbeResult, { kind: 'answer' }>): Promise<boolean> {
    const { from, rttMs, outcome } = answer;
    const back = hopsBack(outcome);
    const asymmetric = back === undefined || back === hop ? '' : `asymm ${number(back)} `;
    const column = ` ${await this.nameOf(from)}`.padEnd(HOST_COLUMN_WIDTH);
    const head = `${number(hop)}: ${column} ${rttMs.toFixed(3).padStart(7)}ms ${asymmetric}`;
    await this.invocation.print(`${head}${this.verdict(outcome)}\n`);
    if (outcome.kind === 'time-exceeded' || isTooBig(outcome)) return false;
    if (isReached(outcome)) {
      this.hopsTo = hop;
      this.hopsBack = back;
    }
    return true;
  }

  private verdict(outcome: PingOutcome): string {
    if (isReached(outcome)) return 'reached';
    if (!isTooBig(outcome)) return outcome.kind === 'unreachable' ? sentenceOf(outcome) : '';
    this.mtuBytes = Math.min(this.mtuBytes, outcome.mtuBytes);
    return `pmtu ${outcome.mtuBytes}`;
  }

  private async nameOf(address: string): Promise<string> {
    const { numeric, both } = this.settings;
    const { container, signal } = this.invocation.context;
    const name = numeric ? undefined : ((await container.resolver.lookupAddress(address, signal)) ?? address);
    if (both) return numeric ? `${address} (???)` : `${name} (${address})`;
    return name ?? address;
  }
}

function number(hop: number): string {
  return String(hop).padStart(2);
}

function isReached(outcome: PingOutcome): boolean {
  return outcome.kind === 'reply' || (outcome.kind === 'unreachable' && outcome.code === PORT_UNREACHABLE);
}

function isTooBig(outcome: PingOutcome): outcome is PingOutcome & { readonly mtuBytes: number } {
  return outcome.kind === 'unreachable' && outcome.mtuBytes !== undefined;
}

/** `!H`, `!N`, `!A`. */
function sentenceOf(outcome: PingOutcome): string {
  const said = mark(outcome).trim();
  return said === '!X' ? '!A' : said;
}

/** How many hops an ICMP error came over. */
function hopsBack(outcome: PingOutcome): number | undefined {
  const ttl = 'ttl' in outcome ? outcome.ttl : undefined;
  if (ttl === undefined) return undefined;
  return USUAL_TTLS.find((usual) => ttl <= usual)! - ttl + 1;
}
