/** Gives Services of type LoadBalancer their address, one Service at a time, so that no address is given twice. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { Live } from '../../shared/api/live.ts';
import { SERVICES } from '../../shared/api/resources.ts';
import type { ApiClient } from '../../shared/bus/api-client.ts';
import { EventRecorder, type EventType } from '../../shared/bus/event-recorder.ts';
import type { Informer } from '../../shared/bus/informer.ts';
import { WorkQueue } from '../../shared/bus/work-queue.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Logger } from '../../shared/runtime/log.ts';
import type { AddressPool } from './address-pool.ts';
import { CLEANUP_FINALIZER, decideLoadBalancer, loadBalancerAddresses } from './load-balancer.ts';

export interface ServiceControllerOptions {
  readonly api: ApiClient;
  readonly eventApi: ApiClient;
  readonly services: Informer<Live<Service>>;
  readonly pool: AddressPool;
  readonly clock: Clock;
  readonly log: Logger;
}

/** An address may have become free meanwhile. */
const RETRY_MS = 5000;

export class ServiceController {
  private readonly options: ServiceControllerOptions;
  private readonly events: EventRecorder;
  private readonly queue: WorkQueue<string>;
  /** What was given, by Service; the informer shows it a little later. */
  private readonly given = new Map<string, string>();

  constructor(options: ServiceControllerOptions) {
    const { eventApi: api, clock, log, services } = options;
    this.options = options;
    this.events = new EventRecorder({ api, clock, log, source: { component: 'service-controller' } });
    this.queue = new WorkQueue({ clock, log, process: (key) => this.work(key) });
    const changed = (service: Live<Service>): void => this.queue.add(keyOf(service));
    services.subscribe({ added: changed, updated: changed, deleted: changed });
  }

  stop(): void {
    this.queue.stop();
  }

  private async work(key: string): Promise<void> {
    const [namespace = '', name = ''] = key.split('/');
    const service = this.options.services.get(name, namespace);
    if (service === undefined) {
      this.given.delete(key);
      return;
    }
    const step = decideLoadBalancer(service, this.options.pool, this.usedByOthers(key));
    if (step.kind === 'ensure') await this.ensure(key, service, step.address);
    else if (step.kind === 'clean-up') await this.cleanUp(key, service);
    else if (step.kind === 'fail') {
      this.tell(service, 'Warning', 'SyncLoadBalancerFailed', step.message);
      this.queue.addAfter(key, RETRY_MS);
    }
  }

  private async ensure(key: string, service: Live<Service>, address: string): Promise<void> {
    const { api, log } = this.options;
    const isNew = this.given.get(key) !== address;
    if (isNew) this.tell(service, 'Normal', 'EnsuringLoadBalancer', 'Ensuring load balancer');
    this.given.set(key, address);
    const finalizers = service.metadata.finalizers ?? [];
    const kept = finalizers.includes(CLEANUP_FINALIZER)
      ? service
      : await api.update(SERVICES, withFinalizers(service, [...finalizers, CLEANUP_FINALIZER]));
    await api.updateStatus(SERVICES, withAddresses(kept, [address]));
    if (!isNew) return;
    this.tell(service, 'Normal', 'EnsuredLoadBalancer', 'Ensured load balancer');
    log.info({ service: key, address }, 'load balancer ensured');
  }

  private async cleanUp(key: string, service: Live<Service>): Promise<void> {
    const { api, log } = this.options;
    this.tell(service, 'Normal', 'DeletingLoadBalancer', 'Deleting load balancer');
    const cleared =
      loadBalancerAddresses(service).length === 0
        ? service
        : await api.updateStatus(SERVICES, withAddresses(service, []));
    this.tell(service, 'Normal', 'DeletedLoadBalancer', 'Deleted load balancer');
    const finalizers = (cleared.metadata.finalizers ?? []).filter((one) => one !== CLEANUP_FINALIZER);
    await api.update(SERVICES, withFinalizers(cleared, finalizers));
    this.given.delete(key);
    log.info({ service: key }, 'load balancer deleted');
  }

  private usedByOthers(key: string): Set<string> {
    const others = this.options.services.list().filter((service) => keyOf(service) !== key);
    const given = [...this.given].filter(([owner]) => owner !== key).map(([, address]) => address);
    return new Set([...others.flatMap(loadBalancerAddresses), ...given]);
  }

  private tell({ metadata }: Live<Service>, type: EventType, reason: string, message: string): void {
    const { name, namespace, uid } = metadata;
    this.events.record({ apiVersion: 'v1', kind: 'Service', name, namespace, uid }, type, reason, message);
  }
}

function keyOf({ metadata: { namespace = '', name } }: Live<Service>): string {
  return `${namespace}/${name}`;
}

function withFinalizers(service: Live<Service>, finalizers: string[]): Live<Service> {
  return { ...service, metadata: { ...service.metadata, finalizers } };
}

function withAddresses(service: Live<Service>, addresses: readonly string[]): Live<Service> {
  const ingress = addresses.map((ip) => ({ ip, ipMode: 'VIP' }));
  return { ...service, status: { ...service.status, loadBalancer: ingress.length === 0 ? {} : { ingress } } };
}
