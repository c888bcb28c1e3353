/**
 * Opens and closes a node's entrances as Services, their LoadBalancer addresses and the nodes' health change.
 *
 *   Services, EndpointSlices, Nodes -> who announces what -> sockets to open, sockets to close
 *
 * A port that cannot be bound is opened as another one; the Service's events and `podwire status` say which.
 */
import type { Node, Service } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import { isNodeReady } from '../../shared/api/node-condition.ts';
import { ENDPOINTSLICES, NODES, SERVICES } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import type { EventRecorder } from '../../shared/bus/event-recorder.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import type { NodeEntrance } from '../../shared/bus/subjects.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import { BoundedRunner } from '../../shared/runtime/bounded-runner.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import { announcerOf } from './announcer.ts';
import { type Entrance, type EntranceNode, entrancesOf } from './entrance.ts';
import { type OpenEntrance, openTcpEntrance } from './tcp-entrance.ts';
import { openUdpEntrance } from './udp-entrance.ts';

const MIN_INTERVAL_MS = 50;
const RESYNC_MS = 30_000;
const RETRY_MS = 2000;

export interface OutsideAgentOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly node: EntranceNode;
  /** Of the host beyond the nodes. */
  readonly outside: PodNetwork;
}

interface Opened extends OpenEntrance {
  readonly entrance: Entrance;
}

export class OutsideAgent {
  private readonly options: OutsideAgentOptions;
  private readonly services: Informer<Service>;
  private readonly slices: Informer<EndpointSlice>;
  private readonly nodes: Informer<Node>;
  private readonly runner: BoundedRunner;
  private readonly opened = new Map<string, Opened>();
  private stopped = false;

  constructor(options: OutsideAgentOptions) {
    const { bus, clock } = options;
    this.options = options;
    this.services = createInformer<Service>(bus, SERVICES, { transform: externalService });
    this.slices = createInformer<EndpointSlice>(bus, ENDPOINTSLICES, { transform: trimmedSlice });
    this.nodes = createInformer<Node>(bus, NODES, { transform: trimmedNode });
    this.runner = new BoundedRunner({
      clock,
      run: () => this.sync(),
      minIntervalMs: MIN_INTERVAL_MS,
      maxIntervalMs: RESYNC_MS,
      retryMs: RETRY_MS,
    });
  }

  /** For `podwire status`. */
  get entrances(): NodeEntrance[] {
    return [...this.opened.values()].map(({ entrance, bound }) => ({
      ...entrance,
      realPort: bound.port,
      instead: bound.instead,
    }));
  }

  async start(): Promise<void> {
    const informers = [this.services, this.slices, this.nodes];
    await Promise.all(informers.map((informer) => informer.start()));
    const request = () => this.runner.request();
    for (const informer of informers) informer.subscribe({ added: request, updated: request, deleted: request });
    request();
  }

  stop(): void {
    this.stopped = true;
    this.runner.stop();
    for (const informer of [this.services, this.slices, this.nodes]) informer.stop();
    for (const opened of this.opened.values()) opened.close();
    this.opened.clear();
  }

  private async sync(): Promise<boolean> {
    const services = this.services.list();
    const readyNodes = this.nodes.list().filter(isNodeReady);
    const state = {
      readyNodes: readyNodes.map(({ metadata }) => metadata?.name ?? ''),
      slices: this.slices.list(),
    };
    const wanted = entrancesOf(services, this.options.node, (service) => announcerOf(service, state));
    for (const [key, opened] of this.opened) {
      if (wanted.has(key)) continue;
      opened.close();
      this.opened.delete(key);
    }
    let complete = true;
    for (const [key, entrance] of wanted) {
      if (this.opened.has(key) || this.stopped) continue;
      complete = (await this.open(key, entrance)) && complete;
    }
    return complete;
  }

  private async open(key: string, entrance: Entrance): Promise<boolean> {
    const { outside, log } = this.options;
    try {
      const open = entrance.protocol === 'tcp' ? openTcpEntrance : openUdpEntrance;
      const opened = { ...(await open(entrance, outside)), entrance };
      if (this.stopped) opened.close();
      else this.opened.set(key, opened);
      if (opened.bound.instead !== undefined) this.tellMapped(opened);
      return true;
    } catch (error) {
      log.warn({ entrance, error }, 'a Service port cannot be opened on this machine');
      return false;
    }
  }

  private tellMapped({ entrance, bound }: Opened): void {
    const { service, protocol, port, realAddress } = entrance;
    const [namespace = '', name = ''] = service.split('/');
    const uid = this.services.get(name, namespace)?.metadata?.uid;
    this.options.events.record(
      { apiVersion: 'v1', kind: 'Service', name, namespace, uid },
      'Normal',
      'PortMapped',
      `${protocol} port ${port} of this machine's ${realAddress} cannot be had (${bound.instead}): use ${realAddress}:${bound.port}`,
    );
  }
}

function externalService(service: Service): Service | undefined {
  const { type } = service.spec ?? {};
  return type === 'NodePort' || type === 'LoadBalancer' ? service : undefined;
}

function trimmedSlice({ metadata, endpoints, addressType }: EndpointSlice): EndpointSlice {
  return {
    metadata: { namespace: metadata?.namespace, name: metadata?.name, labels: metadata?.labels },
    addressType,
    // A slice without endpoints comes without the list.
    endpoints: (endpoints ?? []).map(({ conditions, nodeName }) => ({ addresses: [], conditions, nodeName })),
  };
}

function trimmedNode({ metadata, status }: Node): Node {
  return { metadata: { name: metadata?.name }, status: { conditions: status?.conditions } };
}
