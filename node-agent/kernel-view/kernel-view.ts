/** What `ip`, `ss` and their kin show of a network namespace: a pod's, or a node's with its bridge, connections and rules. */
import type { Host } from '../../shared/netstack/host.ts';
import type { PluginOutput } from '../cni/plugin.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { nodeNamespace, podNamespace, type ShownNamespace } from '../datapath/show/namespace.ts';
import type { KernelView, PacketSockets } from '../images/image.ts';
import { bridgeCommand } from './bridge-command.ts';
import { type CommandOutput, failed, pluginOutput, printed } from './command-output.ts';
import { conntrackCommand } from './conntrack-command.ts';
import { DENIED } from './denied-commands.ts';
import { dmesgCommand } from './dmesg-command.ts';
import { EMPTY_TABLES } from './empty-tables.ts';
import { ethtoolCommand, ifconfigCommand, tcCommand } from './interface-commands.ts';
import { ipCommand } from './ip/ip-command.ts';
import { iptablesCommand, iptablesSaveCommand } from './iptables-command.ts';
import { arpCommand, routeCommand } from './net-tools.ts';
import { packetSockets } from './packet-socket.ts';
import { procNetCommand } from './proc-net.ts';
import { nstatText } from './protocol-counters.ts';
import { ciliumCommand, ipsetCommand, ipvsadmCommand, nftCommand } from './service-tables.ts';
import { netstatCommand, ssCommand } from './socket-commands.ts';
import { sysctlCommand } from './sysctl-command.ts';
import { hostSysctls, nodeSysctls } from './sysctl-tree.ts';
import { AS_IT_STANDS, type Turn } from './turn.ts';
import { wgCommand } from './wg-command.ts';

/** `pidNamespace` is that of who asks. */
export type Command = (words: readonly string[], pidNamespace?: object) => CommandOutput;

type SeenProcesses = 'own' | 'all';

/** Commands beyond those that every pod has. */
export const NODE_ONLY_COMMANDS = [
  'bridge',
  'conntrack',
  'iptables',
  'ip6tables',
  'iptables-save',
  'ip6tables-save',
  'nft',
  'ipvsadm',
  'ipset',
  'cilium-dbg',
  'wg',
  'dmesg',
] as const;

export interface PodViewOptions {
  /** What `tcpdump` captures with. */
  readonly packets?: PacketSockets;
  readonly turn?: Turn;
  /** Who asks sees the processes of its own PID namespace, or, where it is the node that looks into the pod, all. */
  readonly processes?: SeenProcesses;
  /** Who asks has CAP_NET_ADMIN. False by default. */
  readonly administrator?: boolean;
}

export function podKernelView(host: Host, options: PodViewOptions = {}): KernelView {
  const { packets, turn = AS_IT_STANDS, processes = 'own', administrator = false } = options;
  return viewOf(packets, turn, {
    ...commonCommands(host, () => podNamespace(host, administrator), processes),
    ...(administrator ? EMPTY_TABLES : DENIED),
    sysctl: (words) => sysctlCommand(hostSysctls(host), words, false),
    bridge: (words) => bridgeCommand(podNamespace(host, administrator), words),
  });
}

export interface NodeViewOptions {
  /** Commands that print what they return. */
  readonly more?: Readonly<Record<string, (words: readonly string[]) => PluginOutput>>;
  readonly commands?: Readonly<Record<string, Command>>;
  readonly turn?: Turn;
  readonly processes?: SeenProcesses;
  /** True by default. */
  readonly administrator?: boolean;
}

export function nodeKernelView(datapath: NodeDatapath, options: NodeViewOptions = {}): KernelView {
  const { more = {}, commands = {}, turn = AS_IT_STANDS, processes = 'all', administrator = true } = options;
  const { root } = datapath;
  const namespace = () => nodeNamespace(datapath, administrator);
  const added = Object.entries(more).map(
    ([name, run]) => [name, (words: readonly string[]) => pluginOutput([name], run(words))] as const,
  );
  return viewOf(packetSockets(datapath, root, turn), turn, {
    ...commonCommands(root, namespace, processes),
    sysctl: (words) => sysctlCommand(nodeSysctls(datapath), words, administrator),
    bridge: (words) => bridgeCommand(namespace(), words),
    conntrack: (words) => conntrackCommand(datapath, words),
    iptables: (words) => iptablesCommand(datapath, words),
    ip6tables: (words) => iptablesCommand(datapath, words, 'ipv6'),
    'iptables-save': (words) => iptablesSaveCommand(datapath, words),
    'ip6tables-save': (words) => iptablesSaveCommand(datapath, words, 'ipv6'),
    nft: (words) => nftCommand(datapath, words),
    ipvsadm: (words) => ipvsadmCommand(datapath, words),
    'cilium-dbg': (words) => ciliumCommand(datapath, words),
    ipset: (words) => ipsetCommand(datapath, words),
    wg: (words) => wgCommand(datapath, words),
    dmesg: (words) => dmesgCommand(datapath.kernelLog, root.engine.nowUs, words),
    ...(administrator ? {} : DENIED),
    ...Object.fromEntries(added),
    ...commands,
  });
}

function commonCommands(
  host: Host,
  namespace: () => ShownNamespace,
  processes: SeenProcesses,
): Record<string, Command> {
  const seenBy = (pidNamespace: object | undefined) => (processes === 'all' ? 'all' : pidNamespace);
  return {
    ip: (words) => ipCommand(namespace, words),
    ss: (words, pidNamespace) => ssCommand(host, words, seenBy(pidNamespace)),
    netstat: (words, pidNamespace) => netstatCommand(host, words, seenBy(pidNamespace)),
    route: () => routeCommand(host),
    arp: (words) => arpCommand(host, words),
    nstat: (words) => printed(nstatText(host, words)),
    ifconfig: (words) => ifconfigCommand(namespace(), words),
    ethtool: (words) => ethtoolCommand(namespace(), words),
    tc: (words) => tcCommand(namespace(), words),
    cat: (words) => procNetCommand(host, words),
  };
}

function viewOf(
  packets: PacketSockets | undefined,
  turn: Turn,
  commands: Readonly<Record<string, Command>>,
): KernelView {
  return {
    packets,
    run: ([name = '', ...words], pidNamespace) =>
      turn(() => commands[name]?.(words, pidNamespace)) ?? failed(`${name}: not a command of this kernel`, 127),
  };
}
