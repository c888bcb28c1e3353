/**
 * The kubelet of one node:
 *
 *   Node object, Lease ---- Nodes of the cluster -> pod CIDR, peers -> CNI -> pods can be attached
 *   pods of this node -> a worker each -> sandbox, containers, probes, status, events
 *   streams of the bus -> exec, attach, logs, port-forward, commands of the node
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type ApiClient, createComponentClients } from '../shared/bus/api-client.ts';
import type { Bus } from '../shared/bus/connection.ts';
import { EventRecorder } from '../shared/bus/event-recorder.ts';
import { NODE_ENTRANCES, NODE_PROCESSES } from '../shared/bus/subjects.ts';
import type { Host } from '../shared/netstack/host.ts';
import type { PodNetwork } from '../shared/podnet/pod-network.ts';
import { StackNetwork } from '../shared/podnet/stack-network.ts';
import { CNI_ANNOTATION, type PolicyApi, policyApisOf } from '../shared/runtime/cni-plugins.ts';
import type { NodeConfig } from '../shared/runtime/config.ts';
import { netnsFolder } from '../shared/runtime/node-folder.ts';
import type { ProcessContext } from '../shared/runtime/process.ts';
import { parseAddress } from '../shared/wire/ip-address.ts';
import { LeaseFile } from './cni/ipam/lease-file.ts';
import { followNodes } from './cni/node-peers.ts';
import type { CniPlugin } from './cni/plugin.ts';
import type { CreatePlugin } from './cni/registry.ts';
import { encodeUnderlay } from './cni/underlay-annotations.ts';
import { PolicyEngine } from './datapath/policy/policy-engine.ts';
import { policyLog } from './datapath/policy/policy-log.ts';
import { wallClockNs } from './io/wall-clock.ts';
import type { NodeKernel } from './kernel.ts';
import { nodeKernelView, podKernelView } from './kernel-view/kernel-view.ts';
import { packetSockets } from './kernel-view/packet-socket.ts';
import type { Turn } from './kernel-view/turn.ts';
import { NetnsHandler } from './netns/netns-handler.ts';
import { runHeartbeat } from './node/heartbeat.ts';
import { serveKubelet } from './node/kubelet-server.ts';
import { machineFacts } from './node/machine-facts.ts';
import { NodeCommands } from './node/node-commands.ts';
import { type NodeFacts, nodeCapacity } from './node/node-object.ts';
import { NodeRegistration } from './node/registration.ts';
import { NodeUsageSource, serveUsage } from './node/usage-server.ts';
import { NodeNetwork } from './node-network.ts';
import { ApiServers } from './outside/api-servers.ts';
import { OutsideAgent } from './outside/outside-agent.ts';
import { componentImages } from './pods/component-images.ts';
import { EmulatedRuntime } from './pods/emulated-runtime.ts';
import { hostSearches } from './pods/host-searches.ts';
import type { KubeletContext } from './pods/kubelet-context.ts';
import { NO_NODE_DNS, nodeHostsFile, resolvConf } from './pods/name-resolution.ts';
import { PodLogs } from './pods/pod-logs.ts';
import { PodManager } from './pods/pod-manager.ts';
import { ProcessRuntime } from './pods/process-runtime.ts';
import { ReferencedObjectCache } from './pods/referenced-objects.ts';
import { RuntimeClasses } from './pods/runtime-class.ts';
import { ServiceAccountTokens } from './pods/service-account-tokens.ts';
import { PolicyAgent } from './policy/policy-agent.ts';
import { serveNodeStreams } from './streams/node-stream.ts';

/** The shortest that BGP allows. */
const MIN_HOLD_SECONDS = 3;

export interface KubeletOptions {
  readonly context: ProcessContext;
  readonly node: NodeConfig;
  /** Of this node alone. */
  readonly stateFolder: string;
  readonly bus: Bus;
  readonly kernel: NodeKernel;
  /** The plugin of the configuration; undefined waits for one. */
  readonly createPlugin: CreatePlugin | undefined;
}

interface KubeletParts {
  readonly network: NodeNetwork;
  readonly objects: ReferencedObjectCache;
  readonly registration: NodeRegistration;
  readonly pods: PodManager;
  readonly netns: NetnsHandler;
  readonly shared: KubeletContext;
  readonly usage: NodeUsageSource;
  /** For the node's Lease. */
  readonly urgent: ApiClient;
}

/** Resolves once the node is registered and its pods are looked after. */
export async function startKubelet(options: KubeletOptions): Promise<PodManager> {
  const parts = assemble(options);
  const { pods, objects, registration, network } = parts;
  const { shutdown } = options.context;
  shutdown.onStop('referenced objects', () => objects.stop());
  shutdown.onStop('policies', () => network.policy?.stop());
  const [node] = await Promise.all([registration.register(), objects.start(), network.policy?.start()]);
  announceNetwork(options, parts);
  void runHeartbeat({
    ...parts.shared,
    api: parts.urgent,
    nodeUid: node.metadata?.uid ?? '',
    renewEveryMs: options.context.config.nodeLeaseRenewMs,
    graceMs: options.context.config.nodeGraceMs,
    signal: shutdown.signal,
  });
  await followCluster(options, parts);
  objects.onChange((namespace, name) => pods.objectChanged(namespace, name));
  shutdown.onStop('pods', () => pods.stop());
  await pods.start(async (known) => {
    await parts.netns.collectGarbage();
    network.cni.retainOnly(new Set(known.map((pod) => pod.metadata?.uid ?? '')));
    await parts.shared.logs.retainOnly(known);
  });
  const outside = openOutside(options, parts);
  await outside.start();
  serveRequests(options, parts, outside);
  return pods;
}

function assemble(options: KubeletOptions): KubeletParts {
  const { context, node, bus, kernel, stateFolder } = options;
  const { clock, config, log, shutdown } = context;
  const { nodeName, internalIp } = node;
  const { datapath, loop } = kernel;
  const turn: Turn = (call) => loop.run(call);
  const { api, events, urgent } = createComponentClients(bus, `system:node:${nodeName}`);
  const networkOf = (host: Host): PodNetwork => new StackNetwork({ host, loop });
  const nodeNetwork = networkOf(datapath.root);
  const network = new NodeNetwork({
    kernel,
    leases: new LeaseFile(join(stateFolder, 'ipam.json')),
    bgpHoldSeconds: Math.max(MIN_HOLD_SECONDS, Math.ceil(config.nodeGraceMs / 1000)),
    instanceType: config.instanceType,
    cluster: { bus, api, clock, log, inTurn: turn, onStop: (name, stop) => shutdown.onStop(name, stop) },
    node: { host: datapath.root, network: nodeNetwork, address: internalIp, addressIpv6: node.internalIpv6 },
    networkOf,
    log: (plugin, line) => log.info({ plugin }, line),
    createPolicy: (name, plugin) => enforcePolicy(options, policyApisOf(name), { plugin, events, networkOf }),
  });
  const daemon = { name: config.cni, backend: config.cniBackend, settings: config.cniSettings };
  network.start(daemon, options.createPlugin);
  const facts = factsOf(options, network.cni.plugin);
  const objects = new ReferencedObjectCache(bus, api);
  const netns = new NetnsHandler({
    cluster: config.cluster,
    allowed: node.allowNetns,
    folder: netnsFolder(stateFolder),
    memory: kernel.memory,
    loop,
    nodeNetwork,
  });
  const shared: KubeletContext = {
    clock,
    log,
    api,
    events: new EventRecorder({ api: events, clock, log, source: { component: 'kubelet', host: nodeName } }),
    nodeName,
    hostIp: internalIp,
    hostIpv6: node.internalIpv6,
    allocatable: nodeCapacity(config.maxPods),
    clusterDns: { serviceIp: config.dnsIp, domain: config.clusterDomain },
    nodeDns: config.egress === 'host' ? hostSearches() : NO_NODE_DNS,
    objects,
    tokens: new ServiceAccountTokens(api, clock),
    networks: network.networks,
    runtimes: [
      new ProcessRuntime({
        images: componentImages(),
        socketFolder: join(stateFolder, 'podnet'),
        environment: componentEnvironment(context.environment),
      }),
      new EmulatedRuntime({
        kernelOf: (host, administrator) => {
          if (host !== datapath.root) {
            return podKernelView(host, { packets: packetSockets(datapath, host, turn), turn, administrator });
          }
          return nodeKernelView(datapath, { commands: network.commands, turn, administrator, processes: 'own' });
        },
        machineFolder: join(stateFolder, 'programs'),
      }),
    ],
    runtimeClasses: new RuntimeClasses(api, { netns }),
    nodeFolders: network.folders,
    allowedHostPaths: node.allowedHostPaths,
    logs: new PodLogs(stateFolder, () => clock.nowMs(), log),
    nodeNetwork,
    newContainerId: () => randomBytes(32).toString('hex'),
  };
  const registration = new NodeRegistration({ facts, api, clock, log, signal: shutdown.signal });
  const usage = new NodeUsageSource(clock);
  return { network, objects, registration, netns, shared, urgent, usage, pods: new PodManager(bus, shared) };
}

interface PolicyParts {
  readonly plugin: CniPlugin;
  readonly events: ApiClient;
  readonly networkOf: (host: Host) => PodNetwork;
}

function enforcePolicy(
  { context, bus, kernel }: KubeletOptions,
  apis: readonly PolicyApi[],
  { plugin, events, networkOf }: PolicyParts,
): PolicyAgent {
  const { datapath, loop, memory } = kernel;
  const isNodeAddress = (address: number) => datapath.root.isLocal(address);
  const { policyEstablished: established } = context.config;
  const engine = new PolicyEngine({ memory, isNodeAddress, established, log: policyLog(datapath) });
  datapath.setPolicy(engine);
  return new PolicyAgent({
    bus,
    clock: context.clock,
    engine,
    inTurn: (call) => loop.run(call),
    apis,
    cilium: plugin.joinPolicy?.(engine, { events, networkOf }),
    followed: (state, here) => plugin.followPolicies?.(state, here),
  });
}

function factsOf({ context, node, kernel }: KubeletOptions, plugin: CniPlugin | undefined): NodeFacts {
  const { datapath, endpoint } = kernel;
  return machineFacts({
    cluster: context.config.cluster,
    nodeName: node.nodeName,
    internalIp: node.internalIp,
    internalIpv6: node.internalIpv6,
    bootId: datapath.bootId,
    zone: context.environment.PODWIRE_NODE_ZONE,
    maxPods: context.config.maxPods,
    instanceType: context.config.instanceType,
    annotations: { ...encodeUnderlay({ endpoint, mac: datapath.underlayMac }), ...plugin?.annotations() },
  });
}

/** A network that comes up, or is installed while the node runs: the API, the other nodes and the pods that wait are told. */
function announceNetwork({ context }: KubeletOptions, { network, registration, pods }: KubeletParts): void {
  const { log } = context;
  network.listener = {
    installed: (name, plugin) => {
      void registration.annotate({ ...plugin.annotations(), [CNI_ANNOTATION]: name });
      network.policy?.start().catch((error: unknown) => log.error({ error }, 'policies cannot be followed'));
    },
    up: (up) => {
      log.info({ ...up }, 'the network is up');
      network.writeConfiguration();
      registration.setNetwork({ ready: true, ...up });
      pods.networkReady();
    },
  };
}

/** The cluster's nodes, this one among them: its pod CIDR makes the network, the others become peers. */
async function followCluster(options: KubeletOptions, parts: KubeletParts): Promise<void> {
  const { bus, kernel, node, context } = options;
  const { registration } = parts;
  const { cni } = parts.network;
  const nodes = await followNodes({
    bus,
    nodeName: node.nodeName,
    onSelf: (self) => registration.observe(self),
    onPodCidr: (podCidr, podCidrIpv6) => kernel.loop.run(() => cni.setPodCidr(podCidr, podCidrIpv6)),
    onSelfPeer: (self) => kernel.loop.run(() => cni.setSelf(self)),
    onPeer: (peer) => kernel.loop.run(() => cni.setPeer(peer)),
    onPeerGone: (name) => kernel.loop.run(() => cni.removePeer(name)),
  });
  context.shutdown.onStop('nodes', () => nodes.stop());
  kernel.loop.run(() => cni.nodesKnown());
}

/** Of an address whose network is routed elsewhere. */
const ONE_ADDRESS_PREFIX = 32;

/** Programs of this machine come in through it, and pods reach the API servers. */
function openOutside({ context, bus, kernel, node }: KubeletOptions, { shared }: KubeletParts): OutsideAgent {
  const { clock, log, shutdown } = context;
  const network = new StackNetwork({ host: kernel.outside, loop: kernel.loop });
  const outside = new OutsideAgent({
    bus,
    clock,
    log,
    events: shared.events,
    node,
    outside: network,
  });
  shutdown.onStop('entrances', () => outside.stop());
  const eth0 = kernel.outside.deviceByName('eth0');
  const apiServers = new ApiServers({
    bus,
    log,
    outside: network,
    addAddress: (text) => {
      const address = parseAddress(text);
      if (eth0 === undefined || address === undefined) throw new Error(`${text} cannot be beyond the nodes`);
      kernel.loop.run(() => kernel.outside.addAddress(eth0, address, ONE_ADDRESS_PREFIX));
    },
  });
  shutdown.onStop('API servers', () => apiServers.stop());
  // Pods need it, the node does not: it is not waited for.
  apiServers.start().catch((error: unknown) => log.error({ error }, 'pods cannot reach the API'));
  return outside;
}

function serveRequests(
  { bus, kernel, node, context }: KubeletOptions,
  { network, pods, shared, usage }: KubeletParts,
  outside: OutsideAgent,
): void {
  const { nodeName } = node;
  const { clusterDns, nodeDns, hostIp, hostIpv6 } = shared;
  // The node resolves names as a pod of its network with `dnsPolicy: Default` does.
  const likePod = { spec: { hostNetwork: true, dnsPolicy: 'Default', containers: [] } };
  const commands = new NodeCommands({
    nodeName,
    datapath: kernel.datapath,
    turn: (call) => kernel.loop.run(call),
    pluginCommands: () => network.cni.plugin?.commands?.() ?? {},
    folders: network.folders,
    network: shared.nodeNetwork,
    networkOf: (host) => new StackNetwork({ host, loop: kernel.loop }),
    hostsFile: () => nodeHostsFile(nodeName, hostIpv6 === undefined ? [hostIp] : [hostIp, hostIpv6]),
    resolvConf: () => resolvConf(likePod, clusterDns, nodeDns),
  });
  const subscriptions = [
    serveNodeStreams(bus, nodeName, {
      pods,
      logs: shared.logs,
      clock: shared.clock,
      datapath: kernel.datapath,
      wallClockNs,
      runNodeCommand: (command, streams, signal) => commands.run(command, streams, signal),
    }),
    serveUsage(bus, nodeName, pods, usage),
    serveKubelet(bus, { ...context, nodeName, pods, logs: shared.logs, usage }),
    bus.serve(NODE_PROCESSES, { node: nodeName }, async () => ({ processes: pods.processes() })),
    bus.serve(NODE_ENTRANCES, { node: nodeName }, async () => ({ entrances: outside.entrances })),
  ];
  context.shutdown.onStop('node streams', () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
    commands.stop();
  });
}

/** Variables of this node-agent that its components' processes have of their own. */
const NODE_VARIABLES = new Set([
  'PODWIRE_HEALTH_ADDRESS',
  'PODWIRE_NODE_ADVERTISE',
  'PODWIRE_NODE_BIND_ADDRESS',
  'PODWIRE_NODE_INTERNAL_IP',
  'PODWIRE_VXLAN_PORT',
]);

function componentEnvironment(environment: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    const wanted = /^(PODWIRE|NODE|MALLOC)_/.test(name);
    if (wanted && value !== undefined && !NODE_VARIABLES.has(name)) passed[name] = value;
  }
  return passed;
}
