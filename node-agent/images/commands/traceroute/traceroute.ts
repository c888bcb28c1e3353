/** traceroute: a probe for each hop count until the target answers (ICMP echo probes). */
import type { PingOutcome } from '../../../../shared/podnet/pod-network.ts';
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';

export const traceroute: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'nIUTFdrvl46', values: 'mqwfspztgi' });
  const [host, packet] = options.operands;
  if (host === undefined) throw new UsageError('missing host');
  let address: string;
  try {
    address = await run.context.container.resolver.lookupOne(host, run.context.signal);
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error;
    await run.complain(`bad address '${host}'`);
    return 1;
  }
  const maxHops = options.number('m') ?? 30;
  const probes = options.number('q') ?? 3;
  const timeoutMs = (options.number('w') ?? 5) * 1000;
  const packetBytes = Number(packet ?? 46);
  await run.print(`traceroute to ${host} (${address}), ${maxHops} hops max, ${packetBytes} byte packets\n`);
  for (let ttl = options.number('f') ?? 1; ttl <= maxHops && !run.context.signal.aborted; ttl++) {
    if (await hop(run, { address, ttl, probes, timeoutMs, payloadBytes: Math.max(0, packetBytes - 28) })) break;
  }
  return 0;
};

interface Hop {
  readonly address: string;
  readonly ttl: number;
  readonly probes: number;
  readonly timeoutMs: number;
  readonly payloadBytes: number;
}

/** Prints one line; true when the target itself answered. */
async function hop(run: Invocation, { address, ttl, probes, timeoutMs, payloadBytes }: Hop): Promise<boolean> {
  let line = String(ttl).padStart(2);
  let last = '';
  let reached = false;
  for (let probe = 0; probe < probes; probe++) {
    const sentMs = performance.now();
    let outcome: PingOutcome;
    try {
      outcome = await run.context.container.network.ping(
        { address, ttl, timeoutMs, payloadBytes, sequence: ttl * 256 + probe },
        run.context.signal,
      );
    } catch (error) {
      const code = socketErrorCode(error);
      if (code === undefined) throw error;
      line += ` ${code}`;
      reached = true;
      break;
    }
    if (outcome.kind === 'timeout') {
      line += '  *';
      continue;
    }
    if (outcome.from !== last) line += `  ${outcome.from}`;
    last = outcome.from;
    const rttMs = outcome.kind === 'reply' ? outcome.reply.rttMs : performance.now() - sentMs;
    line += `  ${rttMs.toFixed(3)} ms`;
    if (outcome.kind === 'unreachable') line += outcome.code === 0 ? ' !N' : outcome.code === 13 ? ' !X' : ' !H';
    reached ||= outcome.kind !== 'time-exceeded';
  }
  await run.print(`${line}\n`);
  return reached;
}
