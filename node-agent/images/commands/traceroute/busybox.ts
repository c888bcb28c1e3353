/** traceroute of busybox: one probe after the other, UDP datagrams as in `linux.ts`, or echo requests (`-I`). */
import { ResolveError } from '../../../../shared/podnet/resolver.ts';
import { socketErrorCode, socketErrorText } from '../../../../shared/podnet/socket-error.ts';
import { type ParsedOptions, parseOptions, UsageError } from '../../coreutils/options.ts';
import type { Invocation, Utility } from '../../coreutils/utility.ts';
import { write } from '../../program-io.ts';
import { BUSYBOX_BANNER } from '../busybox-banner.ts';
import { getoptSentence } from '../getopt-sentence.ts';
import { familyAsked, findTarget, type Target } from '../ping/target.ts';
import { FIRST_UDP_PORT, mark, PORT_UNREACHABLE, type ProbeResult, probe } from './probe.ts';

const USAGE = `${BUSYBOX_BANNER}

Usage: traceroute [-46FIlnrv] [-f 1ST_TTL] [-m MAXTTL] [-q PROBES] [-p PORT]
	[-t TOS] [-w WAIT_SEC] [-s SRC_IP] [-i IFACE]
	[-z PAUSE_MSEC] HOST [BYTES]

Trace the route to HOST

	-4,-6	Force IP or IPv6 name resolution
	-F	Set don't fragment bit
	-I	Use ICMP ECHO instead of UDP datagrams
	-p N	Base UDP port number used in probes (default 33434)
	-n	Print numeric addresses
	-f N	First number of hops (default 1)
	-m N	Max number of hops
	-q N	Number of probes per hop (default 3)
	-w SEC	Wait for a response (default 3)
`;

const HEADER_BYTES = 28;
const DEFAULT_PACKET_BYTES = 46;
const MAX_PACKET_BYTES = 32_768;
const MAX_INT = 2_147_483_647;

/** Said after the program's name; no usage text follows. */
class TracerouteError extends Error {
  override readonly name = 'TracerouteError';
}

export const traceroute: Utility = async (run) => {
  try {
    const options = parseOptions(run.args, { flags: '46FIlnrvd', values: 'fmqptwsizg' });
    const [host, bytes] = options.operands;
    if (host === undefined) throw new UsageError('');
    const packetBytes = bytes === undefined ? DEFAULT_PACKET_BYTES : inRange(bytes, HEADER_BYTES, MAX_PACKET_BYTES);
    const target = await findTarget(run.context, host, familyAsked(run, options));
    return await trace(run, options, target, packetBytes);
  } catch (error) {
    if (error instanceof TracerouteError) await run.complain(error.message);
    else if (error instanceof ResolveError) await run.complain(`bad address '${error.hostname}'`);
    else if (error instanceof UsageError) {
      if (error.message !== '') await run.complain(getoptSentence(error));
      await write(run.context.stderr, USAGE);
    } else throw error;
    return 1;
  }
};

interface Hops {
  readonly target: Target;
  readonly probes: number;
  readonly waitMs: number;
  readonly payloadBytes: number;
  readonly numeric: boolean;
  readonly dontFragment: boolean;
  /** Of the datagrams; null for echo requests. */
  readonly basePort: number | null;
}

async function trace(run: Invocation, options: ParsedOptions, target: Target, packetBytes: number): Promise<number> {
  const maxHops = inRange(options.value('m') ?? '30', 1, 255);
  const hops: Hops = {
    target,
    probes: inRange(options.value('q') ?? '3', 1, MAX_INT),
    waitMs: inRange(options.value('w') ?? '3', 1, 86_400) * 1000,
    payloadBytes: packetBytes - HEADER_BYTES,
    numeric: options.has('n'),
    dontFragment: options.has('F'),
    basePort: options.has('I') ? null : inRange(options.value('p') ?? String(FIRST_UDP_PORT), 1, 65_535),
  };
  const firstHop = inRange(options.value('f') ?? '1', 1, maxHops);
  await assertRoute(run, target);
  await run.print(
    `traceroute to ${target.name} (${target.address}), ${maxHops} hops max, ${packetBytes} byte packets\n`,
  );
  for (let hop = firstHop; hop <= maxHops && !run.context.signal.aborted; hop++) {
    if (await printHop(run, hops, hop)) break;
  }
  return 0;
}

async function assertRoute(run: Invocation, { address }: Target): Promise<void> {
  try {
    const socket = await run.context.container.network.bindUdp({ remote: { address, port: FIRST_UDP_PORT } });
    socket.close();
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    throw new TracerouteError(`can't connect to remote host (${address}): ${socketErrorText(code)}`);
  }
}

/** True when the trace is over. */
async function printHop(run: Invocation, hops: Hops, hop: number): Promise<boolean> {
  let [from, reached, unreachable] = ['', false, 0];
  await run.print(`${String(hop).padStart(2)}`);
  for (let index = 0; index < hops.probes && !run.context.signal.aborted; index++) {
    const result = await send(run, hops, hop, index);
    if (result.kind === 'silence') {
      await run.print('  *');
      continue;
    }
    if (result.from !== from) await run.print(`  ${await nameOf(run, result.from, hops.numeric)}`);
    from = result.from;
    await run.print(`  ${result.rttMs.toFixed(3)} ms${mark(result.outcome)}`);
    const { outcome } = result;
    if (outcome.kind === 'unreachable' && outcome.code !== PORT_UNREACHABLE) unreachable += 1;
    else reached ||= result.isFinal;
  }
  await run.print('\n');
  return reached || (unreachable > 0 && unreachable >= hops.probes - 1);
}

async function send(run: Invocation, hops: Hops, hop: number, index: number): Promise<ProbeResult> {
  const { container, process, signal } = run.context;
  const { target, payloadBytes, dontFragment, waitMs, basePort } = hops;
  const sequence = (hop * hops.probes + index) & 0xffff;
  const identifier = process.pid & 0xffff;
  const request = {
    address: target.address,
    ttl: hop,
    payloadBytes,
    dontFragment,
    identifier,
    sequence,
    timeoutMs: waitMs,
    ...(basePort === null ? {} : ({ via: 'udp', port: (basePort + sequence) & 0xffff } as const)),
  };
  try {
    return await probe(container.network, request, signal);
  } catch (error) {
    const code = socketErrorCode(error);
    if (code === undefined) throw error;
    if (code === 'ECANCELED') return { kind: 'silence' };
    throw new TracerouteError(`sendto: ${socketErrorText(code)}`);
  }
}

async function nameOf(run: Invocation, address: string, numeric: boolean): Promise<string> {
  if (numeric) return address;
  const name = await run.context.container.resolver.lookupAddress(address, run.context.signal);
  return `${name ?? address} (${address})`;
}

function inRange(text: string, least: number, most: number): number {
  if (!/^\d+$/.test(text)) throw new TracerouteError(`invalid number '${text}'`);
  const value = Number(text);
  if (value < least || value > most) throw new TracerouteError(`number ${text} is not in ${least}..${most} range`);
  return value;
}
