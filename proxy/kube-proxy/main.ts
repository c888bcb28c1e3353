/** kube-proxy: programs the rules of its node from Services and EndpointSlices. */
import { createHash } from 'node:crypto';
import type { ConfigMap, Node, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { CONFIGMAPS, ENDPOINTSLICES, NODES, SERVICES } from '../../shared/api/resources.ts';
import { ZONE_LABEL } from '../../shared/api/topology-hints.ts';
import { createApiClient } from '../../shared/bus/api-client.ts';
import { createInformer } from '../../shared/bus/informer.ts';
import { connectProcessBus } from '../../shared/bus/process-bus.ts';
import { NODE_RULES } from '../../shared/bus/subjects.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { encodeTransaction } from '../../shared/rules/encode-transaction.ts';
import { readPodConfig } from '../../shared/runtime/config.ts';
import { type ProcessContext, runProcess } from '../../shared/runtime/process.ts';
import { familyOf, type IpFamily, type IpPrefix, parseAddress, parsePrefix } from '../../shared/wire/ip-address.ts';
import { ipv6Table, NO_ADDRESS } from '../../shared/wire/ipv6-table.ts';
import { EbpfCompiler } from './compile/ebpf/compiler.ts';
import { IptablesCompiler } from './compile/iptables/compiler.ts';
import { IpvsCompiler } from './compile/ipvs/compiler.ts';
import type { ModeCompiler } from './compile/mode-compiler.ts';
import { NftablesCompiler } from './compile/nftables/compiler.ts';
import type { ProxyContext } from './compile/proxy-context.ts';
import { type BindAddress, ConfigurationError, type ProxyConfiguration, parseConfiguration } from './configuration.ts';
import { HealthCheckPorts } from './health-check-ports.ts';
import { type ProxyMode, proxyMode } from './modes/proxier.ts';
import { RulesProxier } from './modes/rules-proxier.ts';
import { type HttpResponder, NodeHttp } from './node-http.ts';
import { healthResponder, metricsResponder, type ProxyFacts } from './own-ports.ts';
import { ProxyLoop } from './proxy-loop.ts';
import { ProxyMetrics } from './proxy-metrics.ts';
import { ServiceChanges } from './service-changes.ts';

const CONFIG_MAP = 'kube-proxy';
const CONFIG_KEY = 'config.conf';

async function start(context: ProcessContext): Promise<void> {
  const { environment, log, shutdown, clock } = context;
  const pod = readPodConfig(environment);
  const bus = await connectProcessBus(context, `kube-proxy ${pod.nodeName}`);
  const api = createApiClient(bus, { user: 'system:kube-proxy' });
  const [configMap, node] = await Promise.all([
    api.get<ConfigMap>(CONFIGMAPS, CONFIG_MAP, pod.podNamespace),
    api.get<Live<Node>>(NODES, pod.nodeName),
  ]);
  const configuration = parseConfiguration(configMap.data?.[CONFIG_KEY] ?? '');
  const mode = proxyMode(configuration.mode);
  log.info({ source: 'server_linux.go:165' }, `Using ${mode} Proxier`);

  const services = createInformer<Live<Service>>(bus, SERVICES);
  const slices = createInformer<Live<EndpointSlice>>(bus, ENDPOINTSLICES);
  const nodes = createInformer<Live<Node>>(bus, NODES, {
    mentions: pod.nodeName,
    transform: (one) => (one.metadata.name === pod.nodeName ? one : undefined),
  });
  const metrics = new ProxyMetrics(context.metrics);
  const nodeHttp = new NodeHttp(() => nodeNetwork(pod.podnetSocket));
  const healthChecks = new HealthCheckPorts({
    nodeName: pod.nodeName,
    listen: (port, reply) => nodeHttp.listen({ port }, reply),
    isHealthy: () => bus.connected,
    failed: (service, port, error) => log.error({ service, port, error }, 'the health check node port is not served'),
  });
  shutdown.onStop('health check ports', async () => {
    await healthChecks.close();
    await nodeHttp.close();
  });
  const loops = proxyContexts(context, node, configuration).map((compiling, index) => {
    const { family } = compiling;
    const changes = new ServiceChanges(services, slices, family, () => {
      // Before both lists are complete a sync would take endpoints away that are only not read yet.
      if (services.synced && slices.synced) loop.request();
    });
    const proxier = new RulesProxier({
      context: compiling,
      compiler: compilers[mode](compiling),
      send: (transaction) => bus.request(NODE_RULES, { node: pod.nodeName }, encodeTransaction(transaction)),
      refused: (problems) => log.error({ family, problems }, 'the node refused the rules'),
    });
    ipv6Table.hold(proxier);
    nodes.subscribe({
      updated(now) {
        const zone = zoneOf(now);
        if (zone === compiling.node.zone) return;
        log.info({ family, zone }, "the node's zone changed");
        compiling.node.zone = zone;
        changes.markAll();
      },
    });
    const loop = new ProxyLoop({
      changes,
      proxier,
      family,
      configuration,
      metrics,
      // A port hears both families, whose endpoints are the same pods.
      ...(index === 0 ? { healthChecks } : {}),
      clock,
      log,
    });
    shutdown.onStop(`loop ${family}`, () => loop.stop());
    return loop;
  });
  const facts: ProxyFacts = {
    mode,
    nowMs: () => clock.nowMs(),
    lastSyncedMs: () => Math.min(...loops.map((loop) => loop.lastSyncedMs)),
    isHealthy: () => bus.connected,
    isNodeEligible: () => isEligible(nodes.get(pod.nodeName)),
    metrics: () => context.metrics.expose(),
  };
  const serve = (address: BindAddress | undefined, respond: HttpResponder): void => {
    if (address === undefined) return;
    nodeHttp
      .listen(address, respond)
      .catch((error: unknown) => log.error({ error, ...address }, 'the port is not served'));
  };
  serve(configuration.healthzBindAddress, healthResponder(facts));
  serve(configuration.metricsBindAddress, metricsResponder(facts));
  await Promise.all([services.start(), slices.start(), nodes.start()]);
  for (const loop of loops) loop.request();
  await Promise.all(loops.map((loop) => loop.firstSync));
}

const compilers: Readonly<Record<ProxyMode, (context: ProxyContext) => ModeCompiler>> = {
  iptables: (context) => new IptablesCompiler(context),
  ipvs: (context) => new IpvsCompiler(context),
  nftables: (context) => new NftablesCompiler(context),
  ebpf: (context) => new EbpfCompiler(context),
};

/** One for each family of the cluster's pods. */
function proxyContexts(
  { config }: ProcessContext,
  node: Live<Node>,
  configuration: ProxyConfiguration,
): ProxyContext[] {
  const { podCidr, serviceCidr, ipv6 } = config;
  const podCidrs = configuration.clusterCidr || [podCidr, ipv6?.podCidr].filter(Boolean).join(',');
  const serviceCidrs = { ipv4: serviceCidr, ipv6: ipv6?.serviceCidr ?? '' };
  return podCidrs.split(',').map((text) => {
    const clusterCidr = prefixOf('clusterCIDR', text.trim());
    const family = familyOf(clusterCidr.address);
    return {
      family,
      node: { name: node.metadata.name, zone: zoneOf(node), address: nodeAddress(node, family) },
      clusterCidr,
      serviceCidr: prefixOf('the Service CIDR', serviceCidrs[family]),
      scheduler: configuration.scheduler,
      masqueradeAll: configuration.masqueradeAll,
      localhostNodePorts: configuration.localhostNodePorts,
      sha256: (text) => createHash('sha256').update(text).digest(),
    };
  });
}

function zoneOf({ metadata }: Live<Node>): string {
  return metadata.labels?.[ZONE_LABEL] ?? '';
}

/** The cluster autoscaler's taint comes before a node that it takes away. */
function isEligible(node: Live<Node> | undefined): boolean {
  if (node === undefined) return true;
  const goes = (node.spec.taints ?? []).some(({ key }) => key === 'ToBeDeletedByClusterAutoscaler');
  return node.metadata.deletionTimestamp === undefined && !goes;
}

async function nodeNetwork(path: string | undefined): Promise<PodNetwork> {
  if (path === undefined) throw new Error('PODWIRE_PODNET_SOCKET is not set');
  const { connectPodNetwork } = await import('../../shared/podnet/socket-client.ts');
  return connectPodNetwork({ path });
}

function prefixOf(what: string, text: string): IpPrefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new ConfigurationError(`${what} '${text}' is not an IP prefix such as 10.244.0.0/16`);
  return prefix;
}

function nodeAddress({ status }: Live<Node>, family: IpFamily): number {
  const internal = (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP');
  const addresses = internal.map(({ address }) => parseAddress(address) ?? NO_ADDRESS);
  return addresses.find((address) => familyOf(address) === family) ?? NO_ADDRESS;
}

await runProcess({ name: 'kube-proxy', logForm: 'klog', start });
