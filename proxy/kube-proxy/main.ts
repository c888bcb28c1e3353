/** kube-proxy: programs the rules of its node from Services and EndpointSlices. */
import { createHash } from 'node:crypto';
import type { ConfigMap, Node, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { CONFIGMAPS, ENDPOINTSLICES, NODES, SERVICES } from '../../shared/api/resources.ts';
import { createApiClient } from '../../shared/bus/api-client.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { createInformer } from '../../shared/bus/informer.ts';
import { NODE_RULES } from '../../shared/bus/subjects.ts';
import { readPodConfig } from '../../shared/runtime/config.ts';
import { type ProcessContext, runProcess } from '../../shared/runtime/process.ts';
import { parseIpv4, parseIpv4Prefix } from '../../shared/wire/address.ts';
import { IptablesCompiler } from './compile/iptables/compiler.ts';
import { IpvsCompiler } from './compile/ipvs/compiler.ts';
import type { ModeCompiler } from './compile/mode-compiler.ts';
import { NftablesCompiler } from './compile/nftables/compiler.ts';
import type { ProxyContext } from './compile/proxy-context.ts';
import { ConfigurationError, type ProxyConfiguration, parseConfiguration } from './configuration.ts';
import { type ProxyMode, proxyMode } from './modes/proxier.ts';
import { RulesProxier } from './modes/rules-proxier.ts';
import { ProxyLoop } from './proxy-loop.ts';
import { ProxyMetrics } from './proxy-metrics.ts';
import { ServiceChanges } from './service-changes.ts';

const CONFIG_MAP = 'kube-proxy';
const CONFIG_KEY = 'config.conf';
const ZONE_LABEL = 'topology.kubernetes.io/zone';

async function start(context: ProcessContext): Promise<void> {
  const { config, environment, log, shutdown, clock, health } = context;
  const pod = readPodConfig(environment);
  const bus = await connectBus({
    url: config.natsUrl,
    token: config.natsToken,
    cluster: config.cluster,
    clientName: `kube-proxy ${pod.nodeName}`,
    log,
  });
  shutdown.onStop('bus', () => bus.close());
  health.addCheck('nats', () => (bus.connected ? undefined : 'the connection is down'));
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
  const changes = new ServiceChanges(services, slices, () => {
    // Before both lists are complete a sync would take endpoints away that are only not read yet.
    if (services.synced && slices.synced) loop.request();
  });
  const proxier = new RulesProxier({
    compiler: compilers[mode](proxyContext(context, node, configuration, parseIpv4(pod.podIp) ?? 0)),
    send: (transaction) => bus.request(NODE_RULES, { node: pod.nodeName }, transaction),
    refused: (problems) => log.error({ problems }, 'the node refused the rules'),
  });
  const loop = new ProxyLoop({
    changes,
    proxier,
    configuration,
    metrics: new ProxyMetrics(context.metrics),
    clock,
    log,
  });
  shutdown.onStop('loop', () => loop.stop());
  await Promise.all([services.start(), slices.start()]);
  loop.request();
  await loop.firstSync;
}

const compilers: Readonly<Record<ProxyMode, (context: ProxyContext) => ModeCompiler>> = {
  iptables: (context) => new IptablesCompiler(context),
  ipvs: (context) => new IpvsCompiler(context),
  nftables: (context) => new NftablesCompiler(context),
};

function proxyContext(
  { config }: ProcessContext,
  node: Live<Node>,
  configuration: ProxyConfiguration,
  address: number,
): ProxyContext {
  const clusterCidr = parseIpv4Prefix(configuration.clusterCidr || config.podCidr);
  if (clusterCidr === undefined)
    throw new ConfigurationError(`clusterCIDR ${configuration.clusterCidr} is not an IPv4 prefix`);
  const serviceCidr = parseIpv4Prefix(config.serviceCidr);
  if (serviceCidr === undefined) throw new ConfigurationError(`the Service CIDR ${config.serviceCidr} is not IPv4`);
  return {
    node: { name: node.metadata.name, zone: node.metadata.labels?.[ZONE_LABEL] ?? '', address },
    clusterCidr,
    serviceCidr,
    scheduler: configuration.scheduler,
    masqueradeAll: configuration.masqueradeAll,
    localhostNodePorts: configuration.localhostNodePorts,
    sha256: (text) => createHash('sha256').update(text).digest(),
  };
}

await runProcess({ name: 'kube-proxy', logForm: 'klog', start });
