/** ping of busybox, which alpine has too: counts from 0, prints no errors of the network, exits with 0 or 1. */
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { BUSYBOX_BANNER } from '../busybox-banner.ts';
import { getoptSentence } from '../getopt-sentence.ts';
import { type PingArrival, type PingListener, type PingPlan, runPing } from './ping-session.ts';
import { RoundTrips } from './round-trips.ts';
import { familyAsked, findSource, findTarget, type Target } from './target.ts';

const USAGE = `${BUSYBOX_BANNER}

Usage: ping [OPTIONS] HOST

Send ICMP ECHO_REQUESTs to HOST

	-4,-6		Force IP or IPv6 name resolution
	-c CNT		Send only CNT pings
	-s SIZE		Send SIZE data bytes in packets (default 56)
	-i SECS		Interval
	-A		Ping as soon as reply is received
	-t TTL		Set TTL
	-I IFACE/IP	Source interface or IP address
	-W SEC		Seconds to wait for the first response (default 10)
			(after all -c CNT packets are sent)
	-w SEC		Seconds until ping exits (default:infinite)
			(can exit earlier with -c CNT)
	-q		Quiet, only display output at start/finish
	-p HEXBYTE	Payload pattern
`;

const MAX_PAYLOAD_BYTES = 65_535;
/** The payload begins with the time that it was sent at, when it fits. */
const TIMESTAMP_BYTES = 4;

export const ping: Utility = async (run) => {
  try {
    const options = parseOptions(run.args, { flags: 'qA46', values: 'csitIWwp' });
    const [host] = options.operands;
    if (host === undefined || options.operands.length > 1) throw new UsageError('');
    return await new BusyboxPing(run, options).run(host);
  } catch (error) {
    if (error instanceof ResolveError) {
      await run.complain(`bad address '${error.hostname}'`);
      return 1;
    }
    if (!(error instanceof UsageError)) throw error;
    if (error.message !== '') await run.complain(getoptSentence(error));
    await write(run.context.stderr, USAGE);
    return 1;
  }
};

/** An option whose value makes no sense: no usage text follows. */
class BadValue extends Error {
  override readonly name = 'BadValue';
}

class BusyboxPing implements PingListener {
  private readonly invocation: Invocation;
  private readonly options: ParsedOptions;
  private readonly trips = new RoundTrips(0);
  private failed = false;

  constructor(invocation: Invocation, options: ParsedOptions) {
    this.invocation = invocation;
    this.options = options;
  }

  async run(host: string): Promise<number> {
    const { container, process, signal } = this.invocation.context;
    try {
      const target = await findTarget(this.invocation.context, host, familyAsked(this.invocation, this.options));
      const from = await this.from();
      const plan = this.plan(target);
      await this.invocation.print(
        `PING ${target.name} (${target.address})${from}: ${plan.request.payloadBytes} data bytes\n`,
      );
      const interrupted = new AbortController();
      process.onSignal('SIGINT', () => interrupted.abort());
      await runPing(container.network, plan, this.trips, this, AbortSignal.any([interrupted.signal, signal]));
      if (this.failed) return 1;
      await this.printStatistics(target);
      const missed = plan.deadlineMs !== Number.POSITIVE_INFINITY && this.trips.received < plan.count;
      return this.trips.received === 0 || (missed && plan.count !== Number.POSITIVE_INFINITY) ? 1 : 0;
    } catch (error) {
      if (!(error instanceof BadValue)) throw error;
      await this.invocation.complain(error.message);
      return 1;
    }
  }

  async sent(): Promise<void> {
    // Requests are not announced.
  }

  async arrived(arrival: PingArrival): Promise<boolean> {
    if ('failure' in arrival) {
      this.failed = true;
      await this.invocation.complain(`sendto: ${socketErrorText(arrival.failure)}`);
      return false;
    }
    const { outcome } = arrival;
    if (outcome.kind !== 'reply' || this.options.has('q')) return true;
    const { sequence, bytes, ttl, rttMs } = outcome.reply;
    const time = bytes >= 8 + TIMESTAMP_BYTES ? ` time=${rttMs.toFixed(3)} ms` : '';
    await this.invocation.print(`${bytes} bytes from ${outcome.from}: seq=${sequence} ttl=${ttl}${time}\n`);
    return true;
  }

  private plan(target: Target): PingPlan & { readonly request: { readonly payloadBytes: number } } {
    const { options } = this;
    const lingerMs = this.whole('W', 10, 2_147_483) * 1000;
    const intervalMs = this.seconds('i', 1) * 1000;
    return {
      request: {
        address: target.address,
        payloadBytes: this.whole('s', 56, MAX_PAYLOAD_BYTES),
        ttl: options.has('t') ? this.whole('t', 64, 255) : undefined,
        identifier: this.invocation.context.process.pid & 0xffff,
      },
      firstSequence: 0,
      count: this.whole('c', 0, 2 ** 32 - 1) || Number.POSITIVE_INFINITY,
      intervalMs: Math.max(1, intervalMs),
      deadlineMs: (this.whole('w', 0, 2_147_483) || Number.POSITIVE_INFINITY) * 1000,
      adaptive: options.has('A'),
      countsErrors: false,
      // Two round trips in whole seconds once anything came back.
      lingerMs: (trips) => (trips.received > 0 ? Math.max(1, Math.floor(trips.mostMs / 524.288)) * 1000 : lingerMs),
    };
  }

  private async from(): Promise<string> {
    const source = this.options.value('I');
    if (source === undefined) return '';
    const found = await findSource(this.invocation.context.container, source);
    if (found === undefined) throw new BadValue(`bad address '${source}'`);
    return found.device === undefined ? ` from ${found.address}` : '';
  }

  private whole(letter: string, standard: number, most: number): number {
    const text = this.options.value(letter);
    if (text === undefined) return standard;
    if (!/^\d+$/.test(text)) throw new BadValue(`invalid number '${text}'`);
    if (Number(text) > most) throw new BadValue(`number ${text} is not in 0..${most} range`);
    return Number(text);
  }

  private seconds(letter: string, standard: number): number {
    const text = this.options.value(letter);
    if (text === undefined) return standard;
    if (!/^\d*\.?\d+$/.test(text)) throw new BadValue(`invalid number '${text}'`);
    return Number(text);
  }

  private async printStatistics(target: Target): Promise<void> {
    const { trips } = this;
    await this.invocation.print(
      `\n--- ${target.name} ping statistics ---\n${trips.transmitted} packets transmitted, ` +
        `${trips.received} packets received, ${Math.floor(trips.lossPercent)}% packet loss\n`,
    );
    if (trips.received === 0) return;
    const times = [trips.leastMs, trips.meanMs, trips.mostMs].map((ms) => ms.toFixed(3));
    await this.invocation.print(`round-trip min/avg/max = ${times.join('/')} ms\n`);
  }
}
