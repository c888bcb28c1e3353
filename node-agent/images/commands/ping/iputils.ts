/** ping of iputils: what Debian-like images have. Exit codes: 0 an answer came, 1 none did, 2 anything else. */
import { isIP, isIPv6 } from 'node:net';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { type SocketErrorCode, socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { unreachableSentence } from './icmp-sentence.ts';
import { IputilsError, tellError } from './iputils-arguments.ts';
import { type IputilsOptions, parseIputils } from './iputils-options.ts';
import { IPUTILS_USAGE, iputilsVersion } from './iputils-usage.ts';
import { type PingArrival, type PingListener, runPing } from './ping-session.ts';
import { RoundTrips } from './round-trips.ts';
import { findSource, findTarget, mtuTowards, resolveSentence, type Target } from './target.ts';

const IP_AND_ICMP_BYTES = 28;
/** Requests carry the time that they were sent at, when it fits. */
const TIMESTAMP_BYTES = 16;
/** Any port: connecting a datagram socket only asks the routing table. */
const PROBE_PORT = 1025;

export const ping: Utility = async (run) => {
  if (run.args[0] === '-V') {
    await run.print(iputilsVersion('ping'));
    return 0;
  }
  if (run.args[0] === '-h') {
    await write(run.context.stderr, IPUTILS_USAGE);
    return 2;
  }
  try {
    const options = parseIputils(run);
    const target = await findTarget(run.context, options.host, options.family);
    const source = await prepare(run, options, target);
    return await new IputilsPing(run, options, target, source).run();
  } catch (error) {
    if (error instanceof IputilsError) return await tellError(run, error);
    if (error instanceof ResolveError) {
      await run.complain(`${error.hostname}: ${resolveSentence(error)}`);
      return 2;
    }
    throw error;
  }
};

/** The part of the first line that names the source of `-I`; throws when there is no way to the target. */
async function prepare(run: Invocation, options: IputilsOptions, target: Target): Promise<string> {
  const { container } = run.context;
  const source = options.source === undefined ? undefined : await findSource(container, options.source);
  if (options.source !== undefined && source === undefined) {
    const isAddress = isIP(options.source) !== 0;
    throw new IputilsError(
      isAddress ? 'bind: Cannot assign requested address' : `SO_BINDTODEVICE ${options.source}: No such device`,
      2,
    );
  }
  try {
    const probe = await container.network.bindUdp({ remote: { address: target.address, port: PROBE_PORT } });
    probe.close();
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    throw new IputilsError(`connect: ${socketErrorText(code)}`, 2);
  }
  return source === undefined ? '' : `from ${source.address} ${source.device ?? ''}: `;
}

class IputilsPing implements PingListener {
  private readonly invocation: Invocation;
  private readonly options: IputilsOptions;
  private readonly target: Target;
  private readonly source: string;
  private readonly trips = new RoundTrips(1);
  private readonly names = new Map<string, string | undefined>();
  private unanswered = new Set<number>();

  constructor(run: Invocation, options: IputilsOptions, target: Target, source: string) {
    this.invocation = run;
    this.options = options;
    this.target = target;
    this.source = source;
  }

  async run(): Promise<number> {
    const { target, options, trips } = this;
    const { context } = this.invocation;
    if (options.pattern !== undefined) await this.invocation.print(`PATTERN: 0x${options.pattern}\n`);
    await this.invocation.print(`PING ${await this.headline()}\n`);
    const interrupted = new AbortController();
    context.process.onSignal('SIGINT', () => interrupted.abort());
    context.process.onSignal('SIGQUIT', () => this.printStatus());
    const plan = {
      request: {
        address: target.address,
        payloadBytes: options.payloadBytes,
        ttl: options.ttl,
        dontFragment: options.dontFragment,
        identifier: context.process.pid & 0xffff,
      },
      firstSequence: 1,
      count: options.count,
      intervalMs: options.intervalMs,
      deadlineMs: options.deadlineMs,
      adaptive: options.adaptive,
      countsErrors: true,
      lingerMs: () => (trips.received > 0 ? Math.max(2 * trips.mostMs, options.intervalMs) : options.lingerMs),
    };
    const stop = AbortSignal.any([interrupted.signal, context.signal]);
    await runPing(context.container.network, plan, trips, this, stop);
    await this.printStatistics();
    const missed = options.deadlineMs !== Number.POSITIVE_INFINITY && trips.received < options.count;
    return trips.received === 0 || (missed && options.count !== Number.POSITIVE_INFINITY) ? 1 : 0;
  }

  private async headline(): Promise<string> {
    const { target, source } = this;
    const { payloadBytes } = this.options;
    if (!isIPv6(target.address)) {
      const size = `${payloadBytes}(${payloadBytes + IP_AND_ICMP_BYTES})`;
      return `${target.name} (${target.address}) ${source}${size} bytes of data.`;
    }
    return `${target.name}(${await this.nameOf(target.address)}) ${source}${payloadBytes} data bytes`;
  }

  async sent(sequence: number): Promise<void> {
    const { flood, quiet, reportsOutstanding } = this.options;
    if (flood && !quiet) await this.invocation.print('.');
    if (!reportsOutstanding) return;
    const previous = (sequence - 1) & 0xffff;
    if (this.unanswered.has(previous)) await this.print(`no answer yet for icmp_seq=${previous}`);
    this.unanswered = new Set([sequence]);
  }

  async arrived(arrival: PingArrival): Promise<boolean> {
    this.unanswered.delete(arrival.sequence);
    if ('failure' in arrival) await this.complainOf(arrival.failure);
    else await this.describe(arrival);
    return true;
  }

  private async describe({ sequence, outcome }: Extract<PingArrival, { outcome: unknown }>): Promise<void> {
    switch (outcome.kind) {
      case 'reply': {
        const { bytes, ttl, rttMs } = outcome.reply;
        if (this.options.flood) {
          if (!this.options.quiet) await this.invocation.print('\b \b');
          return;
        }
        const time = this.isTimed() ? ` time=${rttText(rttMs)} ms` : '';
        const from = await this.nameOf(outcome.from);
        await this.print(`${bytes} bytes from ${from}: icmp_seq=${sequence} ttl=${ttl}${time}`);
        return;
      }
      case 'unreachable': {
        const sentence = unreachableSentence(outcome, isIPv6(outcome.from) ? 6 : 4);
        await this.print(`From ${await this.nameOf(outcome.from)} icmp_seq=${sequence} ${sentence}`);
        return;
      }
      case 'time-exceeded':
        await this.print(
          `From ${await this.nameOf(outcome.from)} icmp_seq=${sequence} ${isIPv6(outcome.from) ? 'Time exceeded: Hop limit' : 'Time to live exceeded'}`,
        );
        return;
      case 'timeout':
    }
  }

  private async complainOf(failure: SocketErrorCode): Promise<void> {
    if (this.options.quiet) return;
    if (failure !== 'EMSGSIZE') {
      await this.invocation.complain(`sendmsg: ${socketErrorText(failure)}`);
      return;
    }
    const mtuBytes = mtuTowards(this.invocation.context.container, this.target.address);
    await this.invocation.complain(`local error: message too long${mtuBytes === undefined ? '' : `, mtu=${mtuBytes}`}`);
  }

  private isTimed(): boolean {
    return this.options.payloadBytes >= TIMESTAMP_BYTES;
  }

  /** A line of its own, unless nothing is to be said. */
  private async print(text: string): Promise<void> {
    if (this.options.quiet) return;
    const stamp = this.options.timestamps ? `[${(Date.now() / 1000).toFixed(6)}] ` : '';
    await this.invocation.print(`${stamp}${text}\n`);
  }

  /** `name (address)`; the address alone when it was asked for as such, with `-n`, and without a name. */
  private async nameOf(address: string): Promise<string> {
    if (this.options.numeric || this.target.isLiteral) return address;
    if (!this.names.has(address)) {
      const { container, signal } = this.invocation.context;
      this.names.set(address, await container.resolver.lookupAddress(address, signal));
    }
    const name = this.names.get(address);
    return name === undefined ? address : `${name} (${address})`;
  }

  private async printStatistics(): Promise<void> {
    const { trips } = this;
    const errors = trips.errors > 0 ? `+${trips.errors} errors, ` : '';
    const loss = Number(trips.lossPercent.toPrecision(6));
    await this.invocation.print(
      `\n--- ${this.target.name} ping statistics ---\n${trips.transmitted} packets transmitted, ${trips.received} received, ` +
        `${errors}${loss}% packet loss, time ${Math.round(trips.elapsedMs)}ms\n${this.timesText()}\n`,
    );
  }

  private timesText(): string {
    const { trips } = this;
    const parts: string[] = [];
    const timed = trips.received > 0 && this.isTimed();
    if (timed) {
      const times = [trips.leastMs, trips.meanMs, trips.mostMs, trips.deviationMs].map((ms) => ms.toFixed(3));
      parts.push(`rtt min/avg/max/mdev = ${times.join('/')} ms`);
    }
    if (trips.pipe > 1) parts.push(`pipe ${trips.pipe}`);
    if (timed && this.options.adaptive && trips.transmitted > 1) {
      const gapMs = trips.elapsedMs / (trips.transmitted - 1);
      parts.push(`ipg/ewma ${gapMs.toFixed(3)}/${trips.smoothedMs.toFixed(3)} ms`);
    }
    return parts.join(', ');
  }

  /** What SIGQUIT (Ctrl-\) asks for. */
  private printStatus(): void {
    const { trips } = this;
    const loss = Math.floor(trips.lossPercent);
    const times = [trips.leastMs, trips.meanMs, trips.smoothedMs, trips.mostMs].map((ms) => ms.toFixed(3));
    const timed = trips.received > 0 ? `, min/avg/ewma/max = ${times.join('/')} ms` : '';
    const { stderr } = this.invocation.context;
    if (!stderr.destroyed) stderr.write(`\r${trips.received}/${trips.transmitted} packets, ${loss}% loss${timed}\n`);
  }
}

/** Three significant digits below a second's tenth, as iputils rounds. */
export function rttText(rttMs: number): string {
  const us = Math.round(rttMs * 1000);
  if (us >= 99_950) return String(Math.floor((us + 500) / 1000));
  if (us >= 9995) return (Math.floor((us + 50) / 100) / 10).toFixed(1);
  return us >= 1000 ? (Math.floor((us + 5) / 10) / 100).toFixed(2) : (us / 1000).toFixed(3);
}
