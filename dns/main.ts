/**
 * CoreDNS as a process: `main.ts [--conf FILE] [--listen HOST:PORT]`.
 * In a pod its sockets are the pod's (PODWIRE_PODNET_SOCKET) and its Corefile is ConfigMap `coredns` of its namespace; with
 * --listen its sockets are the host's, for `dig` and benchmarks.
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { ConfigMap } from 'kubernetes-types/core/v1.js';
import type { Live } from '../shared/api/live.ts';
import { CONFIGMAPS } from '../shared/api/resources.ts';
import type { Bus } from '../shared/bus/connection.ts';
import { createInformer } from '../shared/bus/informer.ts';
import { connectProcessBus } from '../shared/bus/process-bus.ts';
import type { NativeSockets } from '../shared/native/native-socket.ts';
import { connectPodNetwork } from '../shared/podnet/socket-client.ts';
import { socketErrorCode } from '../shared/podnet/socket-error.ts';
import { ConfigError, type HostPort, readIoTier } from '../shared/runtime/config.ts';
import { type ProcessContext, runProcess } from '../shared/runtime/process.ts';
import { CorefileError } from './corefile.ts';
import { HostNetwork, loadBatches } from './host-network.ts';
import type { DnsNetwork, LogLevel } from './plugin.ts';
import { informerSource } from './plugins/kubernetes/informer-source.ts';
import { PluginMetrics } from './plugins/prometheus/plugin-metrics.ts';
import { type Corefile, DnsServer, type DnsServerOptions } from './server.ts';

const VERSION = '1.11.3';
const CONFIG_MAP = 'coredns';
const COREFILE_KEY = 'Corefile';
/** Where the Deployment mounts it. */
const COREFILE_PATH = '/etc/coredns/Corefile';
/** More than an idle cluster asks for in hours: somebody waits for answers. */
const ASKED_TO_COMPILE = 2000;

const { values: options } = parseArgs({ options: { conf: { type: 'string' }, listen: { type: 'string' } } });

await runProcess({
  name: 'coredns',
  async start(context) {
    const { config, environment, metrics, shutdown, clock, random } = context;
    const listen = listenOption(options.listen);
    const bus = await connectProcessBus(context, `coredns ${environment.PODWIRE_POD_NAME ?? ''}`.trim());
    const server = new DnsServer({
      ...(listen === undefined ? { network: await podNetwork(context) } : await hostNetwork(listen, context)),
      egress: config.egress === 'host' ? new HostNetwork('0.0.0.0') : undefined,
      cluster: informerSource(bus, clock),
      readCorefile: await corefileSource(bus, environment.PODWIRE_POD_NAMESPACE ?? 'kube-system'),
      pluginMetrics: new PluginMetrics(metrics),
      version: VERSION,
      clock,
      random,
      metrics,
      environment,
      print,
      readFile,
      findFiles,
      halt(reason) {
        print('FATAL', reason);
        process.exit(1);
      },
    });
    context.compileWhen.push(() => server.asked > ASKED_TO_COMPILE);
    shutdown.onStop('server', () => {
      print('INFO', 'SIGTERM: Shutting down servers then terminating');
      return server.stop({ lameDuck: listen === undefined });
    });
    try {
      await server.start();
    } catch (error) {
      if (listen !== undefined && socketErrorCode(error) === 'EADDRINUSE') {
        throw new ConfigError(`--listen ${options.listen}: the port is taken by another process: choose another one`);
      }
      if (!(error instanceof CorefileError)) throw error;
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    }
    const greeting = [...server.servedZones, `CoreDNS-${VERSION}`, `${process.platform}/${process.arch}, podwire`];
    process.stdout.write(`${greeting.join('\n')}\n`);
  },
});

/** Lines for people, in CoreDNS' own form: this is what `kubectl logs` shows. */
function print(level: LogLevel, text: string): void {
  process.stdout.write(`[${level}] ${text}\n`);
}

/** The machine's sockets. The HTTP ports of the Corefile are the pods': here any free ones do. */
async function hostNetwork(
  { host, port }: HostPort,
  context: ProcessContext,
): Promise<Pick<DnsServerOptions, 'network' | 'pluginNetwork' | 'portOverride'>> {
  const network = new HostNetwork(host, await batches(context));
  const pluginNetwork: DnsNetwork = {
    bindUdp: (options) => network.bindUdp(options),
    connectTcp: (options, signal) => network.connectTcp(options, signal),
    listenTcp: (options) => network.listenTcp({ ...options, port: 0 }),
  };
  return { network, pluginNetwork, portOverride: port };
}

/** Undefined where queries are taken one by one. */
async function batches({ environment, log }: ProcessContext): Promise<NativeSockets | undefined> {
  if (readIoTier(environment) === 'dgram') return undefined;
  try {
    return await loadBatches();
  } catch (error) {
    log.info({ reason: error instanceof Error ? error.message : String(error) }, 'queries are taken one by one');
    return undefined;
  }
}

function podNetwork({ environment, log }: ProcessContext): Promise<DnsNetwork> {
  const path = environment.PODWIRE_PODNET_SOCKET;
  if (path === undefined) {
    throw new ConfigError('PODWIRE_PODNET_SOCKET is not set: run this in a pod, or with --listen HOST:PORT');
  }
  return connectPodNetwork({
    path,
    onLost() {
      log.fatal("the pod's network is gone");
      process.exit(1);
    },
  });
}

/** The ConfigMap as it is at each call; a file with --conf. */
async function corefileSource(bus: Bus, namespace: string): Promise<() => Corefile> {
  const { conf } = options;
  if (conf !== undefined) return () => ({ file: conf, text: readFileSync(conf, 'utf8') });
  const informer = createInformer<Live<ConfigMap>>(bus, CONFIGMAPS, {
    namespace,
    transform: (configMap) => (configMap.metadata.name === CONFIG_MAP ? configMap : undefined),
  });
  const present = Promise.withResolvers<void>();
  informer.subscribe({ added: () => present.resolve(), updated: () => present.resolve(), deleted: () => undefined });
  await informer.start();
  // A cluster that is being made has it in a moment; until then there is nothing to serve.
  await present.promise;
  return () => {
    const text = informer.get(CONFIG_MAP, namespace)?.data?.[COREFILE_KEY];
    if (text === undefined) {
      throw new Error(
        `ConfigMap ${namespace}/${CONFIG_MAP} has no key ${COREFILE_KEY}: create it, or name a file with --conf`,
      );
    }
    return { file: COREFILE_PATH, text };
  };
}

/** Relative to the Corefile's folder, as the original does. */
function findFiles(pattern: string): string[] {
  const folder = options.conf === undefined ? process.cwd() : dirname(resolve(options.conf));
  return globSync(pattern, { cwd: folder })
    .sort()
    .map((path) => resolve(folder, path));
}

function readFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}

function listenOption(text: string | undefined): HostPort | undefined {
  if (text === undefined) return undefined;
  const match = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(text);
  if (match === null) throw new ConfigError(`--listen '${text}': expected HOST:PORT such as 127.0.0.1:1053`);
  return { host: match[1] ?? '', port: Number(match[2]) };
}
