/**
 * The kubelet's own HTTP endpoints, which `kubectl get --raw /api/v1/nodes/NAME/proxy/...` reaches. They have no port: a
 * connection comes over the bus from the apiserver, which has asked who may.
 */
import type { Server, ServerResponse } from 'node:http';
import type { Bus, BusSubscription } from '../../shared/bus/connection.ts';
import { NODE_KUBELET } from '../../shared/bus/connection-subjects.ts';
import type { ContainerUsage } from '../../shared/bus/node-usage.ts';
import { serveStreams } from '../../shared/bus/stream.ts';
import { streamDuplex } from '../../shared/bus/stream-duplex.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ClusterConfig } from '../../shared/runtime/config.ts';
import type { HealthServer } from '../../shared/runtime/health.ts';
import type { PodLogs } from '../pods/pod-logs.ts';
import type { PodManager } from '../pods/pod-manager.ts';
import { answerContainerRequest } from './container-endpoints.ts';
import { type PodStats, podStats } from './container-stats.ts';
import { resourceMetrics } from './resource-metrics.ts';
import { type NodeProcessStats, statsSummary } from './stats-summary.ts';
import type { NodeUsageSource } from './usage-server.ts';

export interface KubeletServerOptions {
  readonly nodeName: string;
  readonly config: Pick<ClusterConfig, 'maxPods' | 'dnsIp' | 'clusterDomain'>;
  /** /healthz and /metrics are the process' own. */
  readonly health: Pick<HealthServer, 'handle'>;
  readonly pods: PodManager;
  readonly logs: PodLogs;
  readonly usage: NodeUsageSource;
  readonly clock: Clock;
}

export function serveKubelet(bus: Bus, options: KubeletServerOptions): BusSubscription {
  let server: Promise<Server> | undefined;
  return serveStreams(bus, NODE_KUBELET, { node: options.nodeName }, (_request, stream) => {
    server ??= createKubeletServer(options);
    const connection = streamDuplex(stream);
    connection.on('error', () => connection.destroy());
    server.then(
      (http) => http.emit('connection', connection),
      (error: unknown) => stream.close(error instanceof Error ? error : new Error(String(error))),
    );
  });
}

async function createKubeletServer(options: KubeletServerOptions): Promise<Server> {
  // 15 MB, which a node that nobody asks does without.
  const { createServer } = await import('node:http');
  return createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.replace(/(.)\/$/, '$1');
    const page = PAGES[path];
    if (page !== undefined) answerJson(response, page(options));
    else if (path === '/metrics/resource') answerMetrics(response, options);
    else if (!answerContainerRequest(options, request, url, response) && !options.health.handle(path, response)) {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' });
      response.end('404 page not found\n');
    }
  });
}

const PAGES: Readonly<Record<string, (options: KubeletServerOptions) => object>> = {
  '/pods': podList,
  '/runningpods': podList,
  '/stats/summary': summary,
  '/configz': configuration,
};

function podList({ pods }: KubeletServerOptions): object {
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: pods.list() };
}

function summary(options: KubeletServerOptions): object {
  const { node, pods } = stats(options);
  return statsSummary(node, pods, options.clock.nowMs());
}

function answerMetrics(response: ServerResponse, options: KubeletServerOptions): void {
  const { node, pods } = stats(options);
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
  response.end(resourceMetrics(node, pods, options.clock.nowMs()));
}

function stats({ nodeName, pods, usage: source, clock }: KubeletServerOptions): {
  node: NodeProcessStats;
  pods: PodStats[];
} {
  const nowMs = clock.nowMs();
  const usage = source.usage(pods);
  const { user, system } = process.cpuUsage();
  const startedAtMs = Math.round(nowMs - process.uptime() * 1000);
  const node = { nodeName, startedAtMs, ...usage.node, coreNanoSeconds: (user + system) * 1000 };
  const totalNanoSeconds = (container: ContainerUsage) => source.totalNanoSeconds(container);
  return { node, pods: podStats(pods.list(), { usage, totalNanoSeconds, nowMs }) };
}

function configuration({ config: { maxPods, dnsIp, clusterDomain } }: KubeletServerOptions): object {
  return {
    kubeletconfig: {
      kind: 'KubeletConfiguration',
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      maxPods,
      clusterDNS: [dnsIp],
      clusterDomain,
    },
  };
}

function answerJson(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
