import { type Command, InvalidArgumentError, Option } from 'commander';
import { CNI_BACKENDS, CNI_PLUGINS } from '../../shared/runtime/cni-plugins.ts';
import {
  AUTHORIZATION_MODES,
  DEFAULT_LOAD_BALANCER_POOL,
  EGRESSES,
  type Egress,
  type HostPort,
  IO_TIERS,
  type IoTierName,
  IP_FAMILIES,
  MAX_API_SERVERS,
  POLICY_ESTABLISHED,
} from '../../shared/runtime/config.ts';
import { DEFAULT_INSTANCE_TYPE, INSTANCE_TYPES } from '../../shared/runtime/instance-types.ts';
import { LOG_LEVELS, type LogLevel } from '../../shared/runtime/log.ts';
import { MOST_PODS_A_NODE } from '../../shared/runtime/node-block.ts';
import { MAX_NODES } from '../address-plan.ts';
import { awsVpcValues } from '../aws-vpc-values.ts';
import { ciliumValues } from '../cilium-values.ts';
import type { ClusterFolder } from '../cluster-folder.ts';
import { PROXY_MODES, TIMINGS } from '../cluster-settings.ts';
import { print, whenNobodyReads } from '../output.ts';
import { imageFiles } from '../own-images.ts';
import { onStopSignals } from '../stop-signals.ts';
import { REPORT_TO_PARENT, startDetached } from '../supervisor/detach.ts';
import type { RunningCluster } from '../supervisor/running-cluster.ts';
import type { RequestedSettings } from '../supervisor/start-plan.ts';
import { parentReporter, type StartReporter, terminalReporter } from '../supervisor/start-report.ts';
import { messageOf, UserError } from '../user-error.ts';
import { weaveValues } from '../weave-values.ts';
import { addressAndPort, type FormattedOptions, folderOf, formattedCommand, wholeNumber } from './cluster-option.ts';

interface UpOptions extends FormattedOptions, RequestedSettings {
  readonly set?: readonly string[];
  readonly logLevel: LogLevel;
  readonly fresh?: boolean;
  readonly allowNetns?: boolean;
  readonly egress?: Egress;
  readonly dnsListen?: HostPort;
  readonly allowHostPath?: readonly string[];
  readonly image?: readonly string[];
  readonly ioTier?: IoTierName;
  readonly ioBatches?: 'on' | 'off';
  readonly detach?: boolean;
  readonly reportToParent?: boolean;
}

const port = wholeNumber(1, 65_535);

/** Addresses of the nodes' network, which the nodes announce. */
function addressRange(text: string): string {
  if (/^\d+(\.\d+){3}-\d+(\.\d+){3}$/.test(text)) return text;
  throw new InvalidArgumentError('expected the first and the last address, such as 192.168.1.240-192.168.1.250');
}

function repeated(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}

/** What the plugin's own values say; options of the same meaning come first. */
function chosenByValues({ cni, set = [] }: UpOptions): RequestedSettings {
  if (set.length === 0) return {};
  if (cni === 'cilium') return ciliumValues(set);
  if (cni === 'aws-vpc') return { cniSettings: awsVpcValues(set) };
  if (cni === 'weave') return { cniSettings: weaveValues(set) };
  throw new UserError('--set is for --cni cilium, --cni aws-vpc and --cni weave: name the plugin too');
}

export function upCommand(): Command {
  return formattedCommand({
    name: 'up',
    summary: 'Start a cluster and keep it running until Ctrl-C. What an earlier run stored is there again.',
    examples: [
      ['podwire up', 'three nodes, in the foreground'],
      ['podwire up --detach --nodes 5', 'five nodes, in the background'],
      ['podwire up --name lab-2', 'a second cluster beside the first'],
      ['podwire up --dns-listen 127.0.0.1:1053', 'then: dig @127.0.0.1 -p 1053 kubernetes.default.svc.cluster.local'],
      ['podwire up --egress host', 'names outside the cluster resolve, by the name servers of this machine'],
      ['podwire up --cni cilium --set kubeProxyReplacement=true', 'another pod network, with values of its Helm chart'],
      ['podwire up --cni aws-vpc --instance-type t3.medium', 'nodes of 3 interfaces with 6 addresses each: 17 pods'],
      ['podwire up --fresh', 'an empty cluster, whatever was stored'],
    ],
  })
    .option('--nodes <count>', 'nodes: worker-1, worker-2, ... (default: 3)', wholeNumber(1, MAX_NODES))
    .addOption(new Option('--cni <plugin>', 'the pod network (default: flannel)').choices(CNI_PLUGINS))
    .addOption(
      new Option(
        '--cni-backend <backend>',
        "how the plugin carries packets between nodes (default: the plugin's first)",
      ).choices(CNI_BACKENDS),
    )
    .option(
      '--set <name=value>',
      "a value of the plugin's Helm chart (may be repeated): with --cni cilium routingMode, tunnelProtocol, kubeProxyReplacement, encryption.enabled, ...; with --cni aws-vpc env.WARM_ENI_TARGET, env.WARM_IP_TARGET, ...; with --cni weave env.WEAVE_PASSWORD, env.WEAVE_NO_FASTDP",
      repeated,
    )
    .addOption(
      new Option(
        '--instance-type <type>',
        `what EC2 machines the nodes stand for: bounds their interfaces, addresses and pods (with --cni aws-vpc: ${DEFAULT_INSTANCE_TYPE})`,
      ).choices(INSTANCE_TYPES),
    )
    .addOption(
      new Option(
        '--policy-established <fate>',
        'connections that a new policy forbids: cut, as with cilium (default), or keep, as with calico and kube-router',
      ).choices(POLICY_ESTABLISHED),
    )
    .addOption(new Option('--proxy-mode <mode>', 'how kube-proxy works (default: iptables)').choices(PROXY_MODES))
    .addOption(
      new Option('--ip-family <families>', 'of pods, nodes and Services (default: ipv4); dual: IPv4 and IPv6').choices(
        IP_FAMILIES,
      ),
    )
    .option(
      '--load-balancer-pool <range>',
      `addresses for Services of type LoadBalancer (default: ${DEFAULT_LOAD_BALANCER_POOL})`,
      addressRange,
    )
    .option(
      '--max-pods <count>',
      'pods a node takes (default: 250, or as many as its instance type); its block of addresses is a /24 or as large as they need',
      wholeNumber(1, MOST_PODS_A_NODE),
    )
    .addOption(
      new Option(
        '--timing <set>',
        'how fast a silent node is noticed: lab, in seconds; kubernetes, in minutes',
      ).choices(TIMINGS),
    )
    .addOption(
      new Option('--authorization-mode <mode>', 'who may do what over the API (default: AlwaysAllow)').choices(
        AUTHORIZATION_MODES,
      ),
    )
    .option(
      '--apiservers <count>',
      'API servers, each on a port of its own (default: 1)',
      wholeNumber(1, MAX_API_SERVERS),
    )
    .option('--api-port <port>', 'the (first) API (default: 6443, or the next free one)', port)
    .option('--nats-port <port>', 'the message bus (default: 4222, or the next free one)', port)
    .addOption(new Option('--log-level <level>', 'of every process').choices(LOG_LEVELS).default('info'))
    .option('--fresh', 'forget what an earlier run stored')
    .option(
      '--allow-netns',
      'pods of runtimeClassName netns may run programs of this machine, as root, in network namespaces (Linux)',
    )
    .option(
      '--allow-host-path <folder>',
      'hostPath volumes of Node programs may be this folder of the machine, or be in it (may be repeated)',
      repeated,
    )
    .option('--image <file>', 'an image of your own: a TypeScript file (may be repeated; labs/own-image)', repeated)
    .addOption(
      new Option(
        '--egress <to>',
        "what of this machine the cluster may use: none, or host, its name servers (CoreDNS asks them for names outside the cluster; pods' own packets do not leave)",
      ).choices(EGRESSES),
    )
    .option(
      '--dns-listen <address:port>',
      "serve the cluster's DNS at this machine's address too, over UDP and TCP",
      addressAndPort,
    )
    .addOption(
      new Option(
        '--io-tier <tier>',
        'the sockets between nodes: plain dgram, gso or polled (Linux), or auto, the fastest that works',
      ).choices(IO_TIERS),
    )
    .addOption(
      new Option(
        '--io-batches <switch>',
        'off: each frame leaves as a datagram of its own, as captures of the real socket want it',
      ).choices(['on', 'off']),
    )
    .option('--detach', 'return when the cluster is ready, and leave it running')
    .addOption(new Option(REPORT_TO_PARENT).hideHelp())
    .action(async (options: UpOptions) => {
      const folder = folderOf(options);
      if (options.detach === true) {
        const reporter = terminalReporter(options.output);
        await startDetached(folder, process.argv.slice(2), reporter, imageFiles(options.image ?? []));
      } else if (options.reportToParent === true) {
        await runForParent(folder, options);
      } else {
        await run(folder, options, terminalReporter(options.output));
      }
    });
}

async function runForParent(folder: ClusterFolder, options: UpOptions): Promise<void> {
  const reporter = parentReporter();
  try {
    await run(folder, options, reporter);
  } catch (error) {
    reporter.failed(messageOf(error));
    throw error;
  }
}

/** From start to end; this process is the cluster's supervisor meanwhile. */
async function run(folder: ClusterFolder, options: UpOptions, reporter: StartReporter): Promise<void> {
  const ownImages = imageFiles(options.image ?? []);
  const { RunningCluster } = await import('../supervisor/running-cluster.ts');
  const cluster = await RunningCluster.claim(folder, reporter);
  stopOnSignals(cluster);
  try {
    await Promise.race([
      cluster.start({
        requested: { ...chosenByValues(options), ...options },
        logLevel: options.logLevel,
        fresh: options.fresh === true,
        allowNetns: options.allowNetns === true,
        egress: options.egress,
        dnsListen: options.dnsListen,
        allowedHostPaths: options.allowHostPath,
        ownImages,
        io: { tier: options.ioTier, batches: options.ioBatches },
      }),
      cluster.stopped,
    ]);
    const { ready, kubeconfig, pid } = cluster.status;
    if (ready) reporter.ready({ cluster: folder.name, kubeconfig, pid });
    await cluster.stopped;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** The first Ctrl-C ends everything in order, a second one at once. When nobody reads what is printed, that too is the end. */
function stopOnSignals(cluster: RunningCluster): void {
  whenNobodyReads(() => void cluster.stop());
  const stop = (): void => {
    if (process.stdout.isTTY) print('\nstopping');
    void cluster.stop();
  };
  onStopSignals(['SIGINT', 'SIGTERM', 'SIGHUP'], stop, () => void cluster.killAll());
}
