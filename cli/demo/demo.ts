/**
 * The demo: a cluster, a Service, a packet's journey, a node that dies and comes back. Every step checks what it shows;
 * the first that does not hold ends the demo with a DemoFailure.
 */
import type { Pod } from 'kubernetes-types/core/v1.js';
import { createApiClient } from '../../shared/bus/api-client.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { tableText } from '../output.ts';
import type { NodeAction } from '../supervisor/control-protocol.ts';
import { essentials, type Journey, journeyText } from '../trace/journey.ts';
import { traceWhile } from '../trace/tracing.ts';
import { DemoClient } from './client.ts';
import { ClusterView, DemoFailure } from './cluster-view.ts';
import { applyManifest, DEMO_NAMESPACE } from './manifests.ts';
import { countByBackend, percentile, type RequestRecord, succeeded } from './request-log.ts';

export interface DemoCluster {
  readonly bus: Bus;
  readonly nodes: readonly string[];
  readonly projectRoot: string;
  actOnNode(action: NodeAction, node: string): Promise<void>;
}

export interface DemoOutput {
  heading(text: string): void;
  line(text: string): void;
}

const REPLICAS = 3;
const STEP_LIMIT_MS = 60_000;
const STEADY_REQUESTS = 60;
/** Requests after the lost replica was replaced, to see that all is well again. */
const REQUESTS_AFTER = 40;

export async function runDemo(cluster: DemoCluster, output: DemoOutput, nowMs: () => number): Promise<void> {
  const view = new ClusterView(cluster.bus);
  await view.start();
  try {
    const demo = new Demo(cluster, output, view, nowMs);
    await demo.deploy();
    const client = demo.client();
    const steady = await demo.requestsReachAllBackends(client);
    await demo.followOneRequest();
    const underFailure = await demo.surviveNodeFailure(client);
    await demo.nodeComesBack();
    demo.latencySummary(steady, underFailure);
  } finally {
    view.stop();
  }
}

class Demo {
  private readonly cluster: DemoCluster;
  private readonly output: DemoOutput;
  private readonly view: ClusterView;
  private readonly nowMs: () => number;
  private lostNode = '';

  constructor(cluster: DemoCluster, output: DemoOutput, view: ClusterView, nowMs: () => number) {
    this.cluster = cluster;
    this.output = output;
    this.view = view;
    this.nowMs = nowMs;
  }

  async deploy(): Promise<void> {
    this.output.heading('A frontend, and a backend of three replicas behind a Service');
    const startedMs = this.nowMs();
    const api = createApiClient(this.cluster.bus, { user: 'kubernetes-admin' });
    const created = await applyManifest(api, this.cluster.projectRoot);
    this.output.line(`created ${created.join(', ')}   (kubectl apply -f labs/first-steps/web.yaml)`);
    await this.view.waitFor('one ready frontend and three ready backends in the Service', STEP_LIMIT_MS, () =>
      this.allReady(),
    );
    this.output.line(`all pods Ready and in the Service after ${seconds(this.nowMs() - startedMs)}:`);
    const rows = [...this.view.podsOf('frontend'), ...this.view.podsOf('backend')].map((pod) => [
      pod.metadata?.name ?? '',
      pod.status?.podIP ?? '',
      pod.spec?.nodeName ?? '',
    ]);
    this.output.line(tableText(['POD', 'IP', 'NODE'], rows));
    const spread = new Set(this.view.podsOf('backend').map((pod) => pod.spec?.nodeName));
    check(
      spread.size === Math.min(REPLICAS, this.cluster.nodes.length),
      `the replicas run on ${spread.size} nodes only`,
    );
  }

  client(): DemoClient {
    const frontend = this.frontend();
    return new DemoClient(this.cluster.bus, placeOf(frontend), this.nowMs);
  }

  async requestsReachAllBackends(client: DemoClient): Promise<RequestRecord[]> {
    this.output.heading(`${STEADY_REQUESTS} requests from the frontend to http://backend`);
    const requests = await client.request(STEADY_REQUESTS);
    check(
      requests.length === STEADY_REQUESTS,
      `only ${requests.length} requests were made: ${[...client.complaints].join('; ')}`,
    );
    checkAllSucceeded(requests);
    const counts = countByBackend(requests);
    const rows = this.view.podsOf('backend').map((pod) => {
      const name = pod.metadata?.name ?? '';
      return [name, pod.spec?.nodeName ?? '', String(counts.get(name) ?? 0)];
    });
    this.output.line(tableText(['BACKEND', 'NODE', 'ANSWERS'], rows));
    check(counts.size === REPLICAS, `${counts.size} of ${REPLICAS} backends answered`);
    return requests;
  }

  async followOneRequest(): Promise<void> {
    this.output.heading('The journey of one request to a backend on another node');
    const frontend = this.frontend();
    const address = frontend.status?.podIP ?? '';
    for (let attempt = 0; attempt < 20; attempt++) {
      const client = this.client();
      const journey = await traceWhile(this.cluster.bus, this.cluster.nodes, [address], async () => {
        checkAllSucceeded(await client.request(1));
      });
      const backend = this.podNamed(client.requests[0]?.backend ?? '');
      // A Service chooses at random: ask again until the choice crosses to another node.
      if (backend?.spec?.nodeName === frontend.spec?.nodeName) continue;
      const stages = journey.hops.map(({ stage, event }) => `${stage} ${event}`);
      check(
        stages.some((text) => text.includes('DNAT 10.96.')),
        'the Service address was never translated',
      );
      check(
        stages.some((text) => text.includes('encapsulated for')),
        'no packet went through the tunnel',
      );
      for (const { title, part } of phases(essentials(journey))) this.output.line(`${title}\n${journeyText(part)}\n`);
      const nodes = new Set(journey.hops.map(({ node }) => node));
      this.output.line(
        `These are the telling ones of ${journey.hops.length} hops on ${nodes.size} nodes in ${(journey.durationUs / 1000).toFixed(2)} ms; podwire trace shows them all`,
      );
      return;
    }
    throw new DemoFailure('twenty requests never left their node');
  }

  /** Kills the node of a backend while requests run; resolves to the requests made from the kill on. */
  async surviveNodeFailure(client: DemoClient): Promise<RequestRecord[]> {
    const frontendNode = this.frontend().spec?.nodeName;
    const victim = this.view.readyPodsOf('backend').find((pod) => pod.spec?.nodeName !== frontendNode);
    check(victim !== undefined, 'every backend runs on the node of the frontend');
    const node = victim.spec?.nodeName ?? '';
    this.lostNode = node;
    this.output.heading(`kill -9 of ${node}, where ${victim.metadata?.name} answers, while requests go on`);
    const before = client.requests.length;
    const stop = await client.requestUntilStopped(0.02);
    await this.waitForRequests(client, before + REQUESTS_AFTER / 2);
    const killedMs = this.nowMs();
    await this.cluster.actOnNode('kill', node);
    const since = () => seconds(this.nowMs() - killedMs).padStart(8);
    this.output.line(`${since()}  ${node} is gone: process, bridge, pods and tunnels with it`);
    await this.view.waitFor(`${node} NotReady`, STEP_LIMIT_MS, () => !this.view.nodeReady(node));
    this.output.line(`${since()}  ${node} is NotReady`);
    const lostAddress = victim.status?.podIP ?? '';
    await this.view.waitFor(
      'the lost endpoint to leave the Service',
      STEP_LIMIT_MS,
      () => !this.view.readyEndpoints('backend').includes(lostAddress),
    );
    this.output.line(`${since()}  ${lostAddress} has left the Service`);
    await this.view.waitFor('a replacement', STEP_LIMIT_MS, () => this.allReady());
    const newcomer = this.view
      .readyPodsOf('backend')
      .find((pod) => (pod.metadata?.creationTimestamp ?? '') > (victim.metadata?.creationTimestamp ?? ''));
    this.output.line(
      `${since()}  ${newcomer?.metadata?.name} runs on ${newcomer?.spec?.nodeName} instead and is in the Service`,
    );
    await this.waitForRequests(client, client.requests.length + REQUESTS_AFTER);
    await stop();
    const requests = client.requests.filter(({ atMs }) => atMs >= killedMs);
    checkAllSucceeded(requests);
    const retried = requests.filter((request) => request.seconds >= 1).length;
    const slowest = Math.max(...requests.map((request) => request.seconds));
    this.output.line(
      `${requests.length} requests since the kill, every one answered; ${retried} needed another try, the slowest took ${slowest.toFixed(2)} s`,
    );
    return requests;
  }

  async nodeComesBack(): Promise<void> {
    this.output.heading(`${this.lostNode} is started again`);
    const startedMs = this.nowMs();
    await this.cluster.actOnNode('start', this.lostNode);
    await this.view.waitFor(`${this.lostNode} Ready`, STEP_LIMIT_MS, () => this.view.nodeReady(this.lostNode));
    this.output.line(`Ready again after ${seconds(this.nowMs() - startedMs)}`);
  }

  latencySummary(steady: readonly RequestRecord[], underFailure: readonly RequestRecord[]): void {
    this.output.heading('Latency of a request: name, connection, answer (ms)');
    const row = (name: string, requests: readonly RequestRecord[]) => [
      name,
      String(requests.length),
      ...[50, 90, 99, 100].map((percent) =>
        (
          percentile(
            requests.map((request) => request.seconds),
            percent,
          ) * 1000
        ).toFixed(2),
      ),
    ];
    this.output.line(
      tableText(
        ['', 'REQUESTS', 'P50', 'P90', 'P99', 'MAX'],
        [row('all nodes up', steady), row('a node lost', underFailure)],
      ),
    );
  }

  private allReady(): boolean {
    return (
      this.view.readyPodsOf('frontend').length === 1 &&
      this.view.readyPodsOf('backend').length === REPLICAS &&
      this.view.readyEndpoints('backend').length === REPLICAS
    );
  }

  private frontend(): Pod {
    const [frontend] = this.view.readyPodsOf('frontend');
    check(frontend !== undefined, 'the frontend is not ready');
    return frontend;
  }

  private podNamed(name: string): Pod | undefined {
    return this.view.podsOf('backend').find((pod) => pod.metadata?.name === name);
  }

  private async waitForRequests(client: DemoClient, count: number): Promise<void> {
    const giveUpMs = this.nowMs() + STEP_LIMIT_MS;
    while (client.requests.length < count) {
      check(
        this.nowMs() < giveUpMs,
        `the client stopped after ${client.requests.length} requests: ${[...client.complaints].join('; ')}`,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

const PHASES: readonly { readonly title: string; readonly has: (packet: string) => boolean }[] = [
  {
    title: 'The name: two queries, A and AAAA, to the Service of the DNS, and their answers',
    has: (packet) => packet.startsWith('UDP'),
  },
  { title: 'The handshake, to an address that no pod has', has: (packet) => /\[SYN( ACK)?\]/.test(packet) },
  { title: 'The request and the answer', has: (packet) => packet.includes('[PSH ACK]') },
];

/** The parts of a request's journey, each with times of its own. */
function phases(journey: Journey): { readonly title: string; readonly part: Journey }[] {
  return PHASES.map(({ title, has }) => {
    const hops = journey.hops.filter(({ packet }) => has(packet));
    return { title, part: { hops, durationUs: (hops.at(-1)?.timeUs ?? 0) - (hops[0]?.timeUs ?? 0) } };
  });
}

function placeOf(pod: Pod): { namespace: string; pod: string; node: string } {
  return { namespace: DEMO_NAMESPACE, pod: pod.metadata?.name ?? '', node: pod.spec?.nodeName ?? '' };
}

function check(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new DemoFailure(otherwise);
}

function checkAllSucceeded(requests: readonly RequestRecord[]): void {
  const failed = requests.filter((request) => !succeeded(request));
  check(requests.length > 0, 'no request was made');
  check(
    failed.length === 0,
    `${failed.length} of ${requests.length} requests failed (HTTP code ${failed[0]?.httpCode ?? ''})`,
  );
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
