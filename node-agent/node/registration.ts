/**
 * Makes the node known and keeps its status true: the object at start, the status at once when it changes and every few
 * minutes otherwise. Liveness itself is the Lease's matter (`heartbeat.ts`).
 * https://kubernetes.io/docs/concepts/architecture/nodes/#heartbeats
 */
import type { Node, NodeCondition } from 'kubernetes-types/core/v1.d.ts';
import { NODES } from '../../shared/api/resources.ts';
import { isApiError } from '../../shared/api/status.ts';
import { formatTimestamp } from '../../shared/api/timestamp.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import type { Clock, Timer } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import {
  type NetworkState,
  type NodeFacts,
  nodeConditions,
  nodeLabels,
  nodeObject,
  nodeStatusBase,
  stampConditions,
} from './node-object.ts';

const REPORT_EVERY_MS = 300_000;
const RETRY_MS = 300;

export interface RegistrationOptions {
  readonly facts: NodeFacts;
  readonly api: ApiClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export class NodeRegistration {
  private readonly options: RegistrationOptions;
  private network: NetworkState = { ready: false, reason: '', message: '' };
  private reported: readonly NodeCondition[] = [];
  private reporting: Promise<void> | undefined;
  private dirty = false;
  /** What was observed while a report was under way: it may be newer than the report. */
  private unjudged: Node | undefined;
  private timer: Timer | undefined;

  constructor(options: RegistrationOptions) {
    this.options = options;
    options.signal.addEventListener('abort', () => this.timer?.cancel(), { once: true });
  }

  /** Creates the Node, or brings labels and annotations of the one there is up to date; waits for the apiserver. */
  async register(): Promise<Node> {
    const { api, clock, facts, log, signal } = this.options;
    for (;;) {
      try {
        const node = await this.createOrPatch(api, facts);
        this.reported = node.status?.conditions ?? [];
        this.report();
        return node;
      } catch (error) {
        if (signal.aborted) throw error;
        log.debug({ error }, 'the node could not be registered yet');
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  /** What the other nodes must know of a network that came after the node was registered. */
  async annotate(annotations: Readonly<Record<string, string>>): Promise<void> {
    const { api, clock, facts, log, signal } = this.options;
    while (!signal.aborted) {
      try {
        await api.patch<Node>(NODES, facts.name, undefined, { type: 'merge', body: { metadata: { annotations } } });
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.debug({ error }, 'the node could not be annotated yet');
        await clock.sleep(RETRY_MS, signal);
      }
    }
  }

  setNetwork(network: NetworkState): void {
    this.network = network;
    this.report();
  }

  /** The Node as the cluster has it: what somebody else changed of this node's conditions is put right. */
  observe(node: Node): void {
    if (this.reporting !== undefined) {
      this.unjudged = node;
      return;
    }
    const seen = node.status?.conditions ?? [];
    this.reported = seen;
    const differs = nodeConditions(this.network).some(
      ({ type, status }) => seen.find((condition) => condition.type === type)?.status !== status,
    );
    if (differs) this.report();
  }

  /** Writes the status soon. */
  report(): void {
    this.dirty = true;
    this.reporting ??= this.writeReports();
  }

  private async createOrPatch(api: ApiClient, facts: NodeFacts): Promise<Node> {
    try {
      return await api.create<Node>(NODES, nodeObject(facts));
    } catch (error) {
      if (!isApiError(error, 'AlreadyExists')) throw error;
      const body = { metadata: { labels: nodeLabels(facts), annotations: facts.annotations } };
      return api.patch<Node>(NODES, facts.name, undefined, { type: 'merge', body });
    }
  }

  private async writeReports(): Promise<void> {
    this.timer?.cancel();
    while (this.dirty && !this.options.signal.aborted) {
      this.dirty = false;
      await this.write();
    }
    this.reporting = undefined;
    if (this.options.signal.aborted) return;
    this.timer = this.options.clock.setTimer(REPORT_EVERY_MS, () => this.report());
    const { unjudged } = this;
    this.unjudged = undefined;
    if (unjudged !== undefined) this.observe(unjudged);
  }

  private async write(): Promise<void> {
    const { api, clock, facts, log, signal } = this.options;
    const conditions = stampConditions(nodeConditions(this.network), this.reported, formatTimestamp(clock.nowMs()));
    const base = nodeStatusBase(facts);
    // Merged by their type, two InternalIPs would become one: the list is replaced, as the original's kubelet does it.
    const addresses = [...base.addresses, { $patch: 'replace' }];
    const body = { status: { ...base, addresses, conditions } };
    try {
      await api.patch(NODES, facts.name, undefined, { type: 'strategic', body, subresource: 'status' });
      this.reported = conditions;
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ error }, "the node's status could not be written; trying again");
      this.dirty = true;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
