/** The apiserver process: see http/https-server.ts for the way of a request, storage/watch-cache.ts for that of the data. */
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { CUSTOMRESOURCEDEFINITIONS, RESOURCEQUOTAS } from '../../shared/api/resources.ts';
import { connectBus } from '../../shared/bus/connection.ts';
import { API_CONNECTION } from '../../shared/bus/connection-subjects.ts';
import { ObjectStore } from '../../shared/bus/object-store.ts';
import { readCompactedRevision } from '../../shared/bus/store-feed.ts';
import { serveStreams } from '../../shared/bus/stream.ts';
import { streamDuplex } from '../../shared/bus/stream-duplex.ts';
import { MAX_API_SERVERS, readApiServerConfig } from '../../shared/runtime/config.ts';
import { type ProcessContext, runProcess } from '../../shared/runtime/process.ts';
import { ipv4ClusterIps, ipv6ClusterIps, nodePortAllocator } from './allocation/service-ranges.ts';
import { Authenticator } from './authentication/authentication.ts';
import { ServiceAccountTokens } from './authentication/service-account-token.ts';
import { authorizationFor } from './authorization/authorization-mode.ts';
import { apiServiceAddress, bootstrap, bootstrapPolicy } from './bootstrap.ts';
import { serveBus } from './bus-front.ts';
import { ConnectFront } from './connect/connect-front.ts';
import { nodeStreamOpener } from './connect/node-streams.ts';
import { HttpsServer } from './http/https-server.ts';
import { RequestMetrics } from './http/request-metrics.ts';
import { kubeconfigText } from './kubeconfig.ts';
import { repairAllocations } from './maintenance/allocation-repair.ts';
import { ApiEndpoints, RENEW_MS } from './maintenance/api-endpoints.ts';
import { Compaction } from './maintenance/compaction.ts';
import { cleanUpDefinitions, definitionsToCleanUp } from './maintenance/definition-cleanup.ts';
import { expireEvents } from './maintenance/event-expiry.ts';
import { QuotaStatus } from './maintenance/quota-status.ts';
import { scheduleTasks } from './maintenance/schedule.ts';
import { loadPki, writePrivateFile } from './pki/pki.ts';
import { ApiCore } from './registry/api-core.ts';
import { strategies } from './registry/strategies.ts';
import { subresourceHandlers } from './registry/subresources/handlers.ts';
import { followStore } from './storage/follow.ts';
import { ObjectStorage } from './storage/object-storage.ts';

async function start(context: ProcessContext): Promise<void> {
  const { config, environment, log, metrics, clock, random, shutdown, health } = context;
  const { listen, pkiDir, authorizationMode, number } = readApiServerConfig(environment);
  const advertisedAddress = environment.PODWIRE_API_ADVERTISE ?? advertisedFor(listen.host, number);
  const serviceAddress = apiServiceAddress(config.serviceCidr);
  const pki = loadPki(pkiDir, [
    ...new Set(['localhost', '127.0.0.1', listen.host, advertisedAddress, serviceAddress, ...UNDERLAY_ADDRESSES]),
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${config.clusterDomain}`,
  ]);

  const bus = await connectBus({
    url: config.natsUrl,
    token: config.natsToken,
    cluster: config.cluster,
    clientName: 'apiserver',
    log,
  });
  shutdown.onStop('bus', () => bus.close());
  const store = await ObjectStore.open(bus);
  const storage = new ObjectStorage(store);
  storage.cache.compact(await readCompactedRevision(bus));
  const feed = await followStore(store, storage.cache);
  shutdown.onStop('feed', () => feed.stop());

  const tokens = new ServiceAccountTokens(
    pki.serviceAccountKey,
    `https://kubernetes.default.svc.${config.clusterDomain}`,
  );
  const authenticator = new Authenticator(pki.tokenFile, tokens, storage);
  const ranges = {
    clusterIps: [
      ipv4ClusterIps(storage, config.serviceCidr, random),
      ...(config.ipv6 === undefined ? [] : [ipv6ClusterIps(storage, config.ipv6.serviceCidr, random)]),
    ],
    nodePorts: nodePortAllocator(storage, random),
  };
  const { authorizer, rbac } = authorizationFor(authorizationMode, storage);
  const strategyOf = strategies({ storage, random, ranges, config, rbac });
  const handlers = subresourceHandlers({ bus, authorizer, authenticator, tokens });
  const core = new ApiCore({ storage, clock, random, strategyOf }, authorizer, handlers);

  const notReady = () => (bus.connected ? undefined : 'the store is not reachable');
  health.addCheck('store', notReady);
  const server = new HttpsServer({
    core,
    authenticator,
    authorizer,
    connect: new ConnectFront(storage, nodeStreamOpener(bus), random),
    pki,
    facts: {
      advertised: `${advertisedAddress}:${listen.port}`,
      notReady,
      metrics: async () => (await metrics.expose()).body,
      keySet: () => tokens.keySet(),
      issuer: tokens.issuer,
      served: core.served,
    },
    metrics: new RequestMetrics(metrics),
    log,
    clock,
    random,
  });
  const { port } = await server.listen(listen);
  shutdown.onStop('https', () => server.close());
  await bootstrap(core, {
    serviceCidrs: ranges.clusterIps.map(({ cidr }) => cidr),
    caCertificate: pki.caCertificate,
  });
  if (rbac !== undefined) await bootstrapPolicy(core);
  const endpoints = new ApiEndpoints(core, number, { address: advertisedAddress, port });
  await endpoints.renew(clock.nowMs());
  await repairAllocations(storage, ranges, clock.nowMs());
  const connections = serveStreams(bus, API_CONNECTION, { server: `${advertisedAddress}:${port}` }, (_, stream) =>
    server.accept(streamDuplex(stream)),
  );
  shutdown.onStop('connections of pods', () => connections.unsubscribe());
  const subscription = serveBus(bus, core, log);
  shutdown.onStop('api requests', () => subscription.unsubscribe());

  const compaction = new Compaction(storage.cache, store);
  const quotaStatus = new QuotaStatus(storage);
  const stopTasks = scheduleTasks(
    [
      { name: 'endpoints', everyMs: RENEW_MS, run: (nowMs) => endpoints.renew(nowMs) },
      { name: 'event expiry', everyMs: 60_000, run: (nowMs) => expireEvents(storage, nowMs) },
      {
        name: 'definition cleanup',
        everyMs: 500,
        run: () => cleanUpDefinitions(core.context),
        need: { of: storage.of(CUSTOMRESOURCEDEFINITIONS), holds: () => definitionsToCleanUp(storage).length > 0 },
      },
      {
        name: 'quota status',
        everyMs: 250,
        run: (nowMs) => quotaStatus.run(nowMs),
        need: { of: storage.of(RESOURCEQUOTAS), holds: () => storage.of(RESOURCEQUOTAS).size > 0 },
      },
      { name: 'compaction', everyMs: 30_000, run: (nowMs) => compaction.run(nowMs) },
      { name: 'allocation repair', everyMs: 60_000, run: (nowMs) => repairAllocations(storage, ranges, nowMs) },
    ],
    clock,
    log,
  );
  shutdown.onStop('housekeeping', stopTasks);

  if (config.stateDir !== undefined) {
    const reachable = environment.PODWIRE_API_PUBLIC ?? `${reachableHost(listen.host)}:${port}`;
    const text = kubeconfigText({ cluster: config.cluster, server: `https://${reachable}`, pki });
    writePrivateFile(join(config.stateDir, number === 1 ? 'kubeconfig' : `kubeconfig-${number}`), text, {
      replace: true,
    });
  }
  log.info({ address: listen.host, port }, 'the API is served');
}

/**
 * The control plane's addresses in the emulated underlay, below those of the nodes: what pods know the API servers by when
 * their real address is a loopback one, which Endpoints may not hold.
 */
const UNDERLAY_ADDRESSES = Array.from({ length: MAX_API_SERVERS }, (_, i) => `192.168.1.${2 + i}`);

function advertisedFor(host: string, number: number): string {
  const inUnderlay = UNDERLAY_ADDRESSES[number - 1] as string;
  if (host !== '0.0.0.0' && host !== '::') return host === 'localhost' || /^127\.|^::1$/.test(host) ? inUnderlay : host;
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? inUnderlay;
}

function reachableHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

await runProcess({ name: 'apiserver', start });
