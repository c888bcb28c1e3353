import { type Command, InvalidArgumentError } from 'commander';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { parseGoDuration } from '../../shared/api/duration.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import type { CaptureSelection } from '../capture/capture-targets.ts';
import { withClusterSession } from '../cluster-session.ts';
import { onStopSignals } from '../stop-signals.ts';
import { messageOf, UserError } from '../user-error.ts';
import { type ClusterOptions, clusterCommand, wholeNumber } from './cluster-option.ts';

interface CaptureOptions extends ClusterOptions {
  readonly pod: readonly string[];
  readonly node: readonly string[];
  readonly namespace: string;
  readonly device?: string;
  readonly output: string;
  readonly count?: number;
  readonly duration?: number;
  readonly snaplen?: number;
}

const MAX_SNAP_BYTES = 262_144;

export function captureCommand(): Command {
  return clusterCommand({
    name: 'capture',
    summary:
      'Capture packets of nodes and pods as pcapng, each with a comment: whose it is, its connection, why it was dropped.',
    examples: [
      ['podwire capture -o all.pcapng', 'every device of every node, until Ctrl-C'],
      ['podwire capture --pod web-0 tcp port 80 | wireshark -k -i -', "a pod's, live"],
      ['podwire capture --node worker-1 --device eth0 vxlan and icmp -o x.pcapng', 'the overlay between nodes'],
      ['podwire capture --pod shop/cart --pod shop/db --duration 30s -o shop.pcapng', 'two pods in one file'],
      ["podwire capture -c 10 'tcp[tcpflags] & tcp-syn != 0' | tshark -r -", 'ten connection attempts'],
    ],
  })
    .argument('[filter...]', "in tcpdump's language (man pcap-filter): host, net, port, tcp, vxlan, and, or, not, ...")
    .option('--pod <pod>', 'a pod, as name or namespace/name; may be repeated', gathered, [])
    .option('--node <node>', "a node's own network; may be repeated; without --pod and --node all nodes", gathered, [])
    .option('-n, --namespace <namespace>', 'of pods named without one', 'default')
    .option('-i, --device <device>', 'one device: eth0, cni0, flannel.1, lo, veth...; all by default')
    .option('-o, --output <file>', 'a pcapng file; - for standard output', '-')
    .option('-c, --count <packets>', 'end after so many packets', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('-d, --duration <time>', 'end after 30s, 5m, ...', duration)
    .option('-s, --snaplen <bytes>', 'keep so many bytes of a packet', wholeNumber(1, MAX_SNAP_BYTES))
    .action(async (filter: string[], options: CaptureOptions) => {
      await capture(filter.join(' '), options);
    });
}

async function capture(filter: string, options: CaptureOptions): Promise<void> {
  const [{ compileFilter }, { openCaptureOutput }, { captureTargets }, { CaptureSession }, { AddressNames }] =
    await Promise.all([
      import('../../shared/wire/pcap-filter/compile.ts'),
      import('../capture/capture-output.ts'),
      import('../capture/capture-targets.ts'),
      import('../capture/capture-session.ts'),
      import('../capture/address-names.ts'),
    ]);
  try {
    compileFilter(filter);
  } catch (error) {
    throw new UserError(messageOf(error));
  }
  await withClusterSession(options, async ({ bus, running }) => {
    const names = new AddressNames(bus);
    try {
      const targets = await captureTargets(selectionOf(filter, options), running, await podFinder(bus));
      const output = await openCaptureOutput(options.output);
      await names.start();
      const { count } = options;
      const session = new CaptureSession({ bus, targets, names, count, write: output.write, warn: say });
      output.onGone = () => session.abort();
      await session.start();
      say(`capturing on ${targets.map(({ node }) => node).join(', ')}; Ctrl-C ends it`);
      endWith(session, options.duration);
      const { captured, received, dropped, final } = await session.finish();
      await output.close();
      say(`${captured} packets captured`);
      if (final) say(`${received} packets received by filter\n${dropped} packets dropped by capture`);
    } finally {
      names.stop();
    }
  });
}

function selectionOf(filter: string, options: CaptureOptions): CaptureSelection {
  const { node: nodes, pod: pods, namespace, device, snaplen: snapBytes } = options;
  return { nodes, pods, namespace, device, filter, snapBytes };
}

async function podFinder(bus: Bus) {
  const [{ createApiClient }, { PODS }] = await Promise.all([
    import('../../shared/bus/api-client.ts'),
    import('../../shared/api/resources.ts'),
  ]);
  const api = createApiClient(bus, { user: 'podwire-cli' });
  return async (name: string, namespace: string): Promise<Pod> => {
    try {
      return await api.get<Pod>(PODS, name, namespace);
    } catch (error) {
      throw new UserError(`pod ${namespace}/${name}: ${messageOf(error)}`);
    }
  };
}

/** Ctrl-C and the end of the time let the nodes send what waits there; a second Ctrl-C does not. */
function endWith(session: { stop(): void; abort(): void }, durationMs: number | undefined): void {
  onStopSignals(
    ['SIGINT', 'SIGTERM'],
    () => session.stop(),
    () => session.abort(),
  );
  if (durationMs !== undefined) setTimeout(() => session.stop(), durationMs).unref();
}

/** Standard output is the capture's. */
function say(message: string): void {
  process.stderr.write(`${message}\n`);
}

function gathered(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** In milliseconds. */
function duration(text: string): number {
  const durationNs = parseGoDuration(text) ?? 0;
  if (durationNs <= 0) throw new InvalidArgumentError('expected a time such as 30s or 5m.');
  return durationNs / 1e6;
}
