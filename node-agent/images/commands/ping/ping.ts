/** ping: iputils' output, or busybox' where the image has that one. */
import type { PingOutcome } from '../../../../shared/podnet/pod-network.ts';
import { literalAddress, ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { pause, write } from '../../program-io.ts';

const ICMP_AND_IP_BYTES = 28;

interface Target {
  readonly name: string;
  readonly address: string;
}

class Statistics {
  sent = 0;
  received = 0;
  errors = 0;
  readonly rttsMs: number[] = [];
  readonly startedMs = performance.now();
}

export const ping: Utility = async (run) => {
  const options = parseOptions(run.args, { flags: 'qnvbfaADdLRU46Oh', values: 'cisWwtIMlpQST' });
  const [host] = options.operands;
  if (host === undefined) throw new UsageError('usage error: Destination address required');
  const target = await resolve(run, host);
  if (target === undefined) return run.context.container.files.exists('/etc/debian_version') ? 2 : 1;
  const isBusybox = !run.context.container.files.exists('/etc/debian_version');
  const statistics = new Statistics();
  let interrupted = false;
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    run.context.process.onSignal(name, () => {
      interrupted = true;
      stop.abort();
    });
  }
  const payloadBytes = options.number('s') ?? 56;
  if (isBusybox) await run.print(`PING ${target.name} (${target.address}): ${payloadBytes} data bytes\n`);
  else
    await run.print(
      `PING ${target.name} (${target.address}) ${payloadBytes}(${payloadBytes + ICMP_AND_IP_BYTES}) bytes of data.\n`,
    );
  await exchange(run, options, target, statistics, isBusybox, AbortSignal.any([stop.signal, run.context.signal]));
  if (interrupted && !isBusybox) await run.print('\n');
  await report(run, target, statistics, isBusybox);
  return statistics.received > 0 ? 0 : 1;
};

async function resolve(run: Invocation, host: string): Promise<Target | undefined> {
  try {
    return { name: host, address: await run.context.container.resolver.lookupOne(host, run.context.signal) };
  } catch (error) {
    if (!(error instanceof ResolveError)) throw error;
    const isDebian = run.context.container.files.exists('/etc/debian_version');
    const cause = error.code === 'EAI_AGAIN' ? 'Temporary failure in name resolution' : 'Name or service not known';
    await write(run.context.stderr, isDebian ? `ping: ${host}: ${cause}\n` : `ping: bad address '${host}'\n`);
    return undefined;
  }
}

async function exchange(
  run: Invocation,
  options: ParsedOptions,
  target: Target,
  statistics: Statistics,
  isBusybox: boolean,
  signal: AbortSignal,
): Promise<void> {
  const count = options.number('c') ?? Number.POSITIVE_INFINITY;
  const intervalMs = Number(options.value('i') ?? (options.has('f') ? 0.01 : 1)) * 1000;
  const timeoutMs = Number(options.value('W') ?? 10) * 1000;
  const deadlineMs = Number(options.value('w') ?? Number.POSITIVE_INFINITY) * 1000;
  const identifier = Math.floor(Math.random() * 65_536);
  const pending: Promise<void>[] = [];
  for (let index = 0; index < count && !signal.aborted; index++) {
    const elapsedMs = performance.now() - statistics.startedMs;
    if (elapsedMs >= deadlineMs) break;
    const sequence = (isBusybox ? index : index + 1) & 0xffff;
    statistics.sent += 1;
    const request = {
      address: target.address,
      payloadBytes: options.number('s') ?? 56,
      ttl: options.number('t'),
      dontFragment: options.value('M') === 'do' || options.value('M') === 'probe',
      sequence,
      identifier,
      timeoutMs: Math.min(timeoutMs, deadlineMs - elapsedMs),
    };
    const answered = one(run, options, request, target, statistics, isBusybox, signal);
    pending.push(answered);
    if (index + 1 < count) await pause(intervalMs, signal);
    else await answered;
  }
  if (!signal.aborted) await Promise.all(pending);
}

async function one(
  run: Invocation,
  options: ParsedOptions,
  request: Parameters<Invocation['context']['container']['network']['ping']>[0],
  target: Target,
  statistics: Statistics,
  isBusybox: boolean,
  signal: AbortSignal,
): Promise<void> {
  let outcome: PingOutcome;
  try {
    outcome = await run.context.container.network.ping(request, signal);
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    if (code === 'ECANCELED') return;
    statistics.errors += 1;
    await write(run.context.stderr, localError(code, isBusybox));
    return;
  }
  const line = describe(outcome, request.sequence ?? 0, target, isBusybox);
  if (outcome.kind === 'reply') {
    statistics.received += 1;
    statistics.rttsMs.push(outcome.reply.rttMs);
  } else if (outcome.kind !== 'timeout') statistics.errors += 1;
  if (line !== undefined && !options.has('q')) await run.print(`${line}\n`);
}

function localError(code: string, isBusybox: boolean): string {
  if (code === 'EMSGSIZE')
    return isBusybox ? 'ping: sendto: Message too large\n' : 'ping: local error: message too long\n';
  const sentence =
    code === 'ENETUNREACH'
      ? isBusybox
        ? 'Network unreachable'
        : 'Network is unreachable'
      : code === 'EHOSTUNREACH'
        ? 'No route to host'
        : code;
  return isBusybox ? `ping: sendto: ${sentence}\n` : `ping: connect: ${sentence}\n`;
}

const UNREACHABLE: Readonly<Record<number, string>> = {
  0: 'Destination Net Unreachable',
  1: 'Destination Host Unreachable',
  2: 'Destination Protocol Unreachable',
  3: 'Destination Port Unreachable',
  9: 'Destination Net Prohibited',
  10: 'Destination Host Prohibited',
  13: 'Packet filtered',
};

function describe(outcome: PingOutcome, sequence: number, target: Target, isBusybox: boolean): string | undefined {
  switch (outcome.kind) {
    case 'reply': {
      const { bytes, ttl, rttMs } = outcome.reply;
      if (isBusybox)
        return `${bytes} bytes from ${outcome.from}: seq=${sequence} ttl=${ttl} time=${rttMs.toFixed(3)} ms`;
      const from = literalAddress(target.name) === undefined ? `${target.name} (${outcome.from})` : outcome.from;
      return `${bytes} bytes from ${from}: icmp_seq=${sequence} ttl=${ttl} time=${rttMs < 1 ? rttMs.toFixed(3) : rttMs < 10 ? rttMs.toFixed(2) : rttMs.toFixed(1)} ms`;
    }
    case 'unreachable':
      if (isBusybox) return undefined;
      if (outcome.code === 4)
        return `From ${outcome.from} icmp_seq=${sequence} Frag needed and DF set (mtu = ${outcome.mtuBytes ?? 0})`;
      return `From ${outcome.from} icmp_seq=${sequence} ${UNREACHABLE[outcome.code] ?? 'Destination Unreachable'}`;
    case 'time-exceeded':
      return isBusybox ? undefined : `From ${outcome.from} icmp_seq=${sequence} Time to live exceeded`;
    case 'timeout':
      return undefined;
  }
}

async function report(run: Invocation, target: Target, statistics: Statistics, isBusybox: boolean): Promise<void> {
  const { sent, received, errors, rttsMs } = statistics;
  const loss = sent === 0 ? 0 : Math.round(((sent - received) / sent) * 100);
  const [least, most] = [Math.min(...rttsMs), Math.max(...rttsMs)];
  const mean = rttsMs.reduce((sum, rtt) => sum + rtt, 0) / Math.max(1, rttsMs.length);
  await run.print(`\n--- ${target.name} ping statistics ---\n`);
  if (isBusybox) {
    await run.print(`${sent} packets transmitted, ${received} packets received, ${loss}% packet loss\n`);
    if (received > 0)
      await run.print(`round-trip min/avg/max = ${least.toFixed(3)}/${mean.toFixed(3)}/${most.toFixed(3)} ms\n`);
    return;
  }
  const totalMs = Math.round(performance.now() - statistics.startedMs);
  await run.print(
    `${sent} packets transmitted, ${received} received, ${errors > 0 ? `+${errors} errors, ` : ''}${loss}% packet loss, time ${totalMs}ms\n`,
  );
  if (received === 0) return;
  const deviation = Math.sqrt(rttsMs.reduce((sum, rtt) => sum + (rtt - mean) ** 2, 0) / rttsMs.length);
  await run.print(
    `rtt min/avg/max/mdev = ${[least, mean, most, deviation].map((value) => value.toFixed(3)).join('/')} ms\n`,
  );
}
