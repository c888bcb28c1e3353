/** kube-proxy as a process: follows Services and EndpointSlices, programs its node. Its rules stay when it ends. */
import { createHash } from 'node:crypto';
import type { ConfigMap, Node, Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { CONFIGMAPS, ENDPOINTSLICES, NODES, SERVICES } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import { type ApiClient, createApiClient } from '../../shared/bus/api-client.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { createInformer } from '../../shared/bus/informer.ts';
import { type ClusterConfig, readPodConfig } from '../../shared/runtime/config.ts';
import { runProcess } from '../../shared/runtime/process.ts';
import { parseIpv4 } from '../../shared/wire/address.ts';
import { IptablesCompiler } from './compile/iptables/compiler.ts';
import { decodeConfiguration, type ProxyConfiguration, ProxyConfigurationError } from './configuration.ts';
import { Proxier } from './proxier.ts';
import { ProxyMetrics } from './proxy-metrics.ts';
import { LAST_CHANGE, ServiceChanges } from './service-changes.ts';

const CONFIG_MAP = 'kube-proxy';
const CONFIG_KEY = 'config.conf';
const ZONE = 'topology.kubernetes.io/zone';

await runProcess({
  name: 'kube-proxy',
  async start({ config, environment, log, shutdown, clock, health, metrics }) {
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
    const api = createApiClient(bus, { user: `system:kube-proxy:${pod.nodeName}` });
    const configuration = await readConfiguration(api, pod.podNamespace, config);
    refuseOtherModes(configuration);
    const node = await api.get<Live<Node>>(NODES, pod.nodeName);
    const compiler = new IptablesCompiler({
      node: { name: pod.nodeName, zone: node.metadata.labels?.[ZONE] ?? '', address: parseIpv4(pod.podIp) ?? 0 },
      clusterCidr: configuration.clusterCidr,
      masqueradeAll: configuration.masqueradeAll,
      localhostNodePorts: configuration.localhostNodePorts,
      sha256: (text) => createHash('sha256').update(text).digest(),
    });
    const services = createInformer<Live<Service>>(bus, SERVICES, { transform: trimService });
    const slices = createInformer<Live<EndpointSlice>>(bus, ENDPOINTSLICES, { transform: trimSlice });
    await Promise.all([services.start(), slices.start()]);
    log.info('Using iptables Proxier');
    // The subscriptions tell of what is there already: `start` comes after them, so that the first sync has it all.
    let proxier: Proxier | undefined;
    const changes = new ServiceChanges({ services, slices }, () => proxier?.requestSync());
    proxier = new Proxier({
      bus,
      nodeName: pod.nodeName,
      compiler,
      takeChanges: () => changes.take(),
      minSyncPeriodMs: configuration.minSyncPeriodMs,
      syncPeriodMs: configuration.syncPeriodMs,
      clock,
      log,
      metrics: new ProxyMetrics(metrics),
    });
    health.addCheck('sync', () => proxier?.lag());
    shutdown.onStop('proxier', () => proxier?.stop());
    proxier.start();
  },
});

async function readConfiguration(
  api: ApiClient,
  namespace: string,
  config: ClusterConfig,
): Promise<ProxyConfiguration> {
  const defaults = { mode: config.proxyMode, clusterCidr: config.podCidr };
  try {
    const configMap = await api.get<ConfigMap>(CONFIGMAPS, CONFIG_MAP, namespace);
    const text = configMap.data?.[CONFIG_KEY];
    if (text === undefined) return decodeConfiguration(undefined, defaults);
    const { parse } = await import('yaml');
    return decodeConfiguration(parse(text), defaults);
  } catch (error) {
    if (isApiError(error, 'NotFound')) return decodeConfiguration(undefined, defaults);
    throw error;
  }
}

function refuseOtherModes({ mode }: ProxyConfiguration): void {
  if (mode === 'iptables') return;
  throw new ProxyConfigurationError(
    mode === 'kernelspace'
      ? "kube-proxy: mode 'kernelspace' exists on Windows nodes only: use iptables"
      : `kube-proxy: mode '${mode}' is not there yet: use iptables`,
  );
}

function trimService(service: Live<Service>): Live<Service> {
  delete service.metadata.managedFields;
  return service;
}

/** At many endpoints their targets' names are most of the memory, and rules do not need them. */
function trimSlice(slice: Live<EndpointSlice>): Live<EndpointSlice> {
  const { name, namespace, uid, labels, annotations, creationTimestamp, resourceVersion } = slice.metadata;
  const triggered = annotations?.[LAST_CHANGE];
  return {
    metadata: {
      name,
      namespace,
      uid,
      labels,
      creationTimestamp,
      resourceVersion,
      ...(triggered === undefined ? {} : { annotations: { [LAST_CHANGE]: triggered } }),
    },
    addressType: slice.addressType,
    ports: slice.ports,
    endpoints: slice.endpoints?.map(({ addresses, conditions, nodeName, hints }) => ({
      addresses,
      conditions,
      nodeName,
      hints,
    })),
  };
}
