/** Which Services changed since the last sync, by their own object or by their EndpointSlices. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import type { Live } from '../../shared/api/live.ts';
import type { Informer } from '../../shared/bus/informer.ts';
import type { IpFamily } from '../../shared/wire/ip-address.ts';
import { endpointsOfPort, serviceOfSlice } from './compile/endpoint.ts';
import { servicePorts } from './compile/service-port.ts';
import type { ServiceState } from './compile/service-state.ts';

const CHANGE_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

export class ServiceChanges {
  private readonly services: Informer<Live<Service>>;
  private readonly slicesOf = new Map<string, Map<string, Live<EndpointSlice>>>();
  private readonly dirty = new Set<string>();
  private readonly changeTimesMs: number[] = [];
  private readonly family: IpFamily;
  private readonly changed: () => void;

  /** What concerns one family of addresses; `changed` is called at every change. */
  constructor(
    services: Informer<Live<Service>>,
    slices: Informer<Live<EndpointSlice>>,
    family: IpFamily,
    changed: () => void,
  ) {
    this.services = services;
    this.family = family;
    this.changed = changed;
    const serviceChanged = (service: Live<Service>): void => this.mark(keyOf(service));
    services.subscribe({ added: serviceChanged, updated: serviceChanged, deleted: serviceChanged });
    slices.subscribe({
      added: (slice) => this.put(slice),
      updated: (slice, old) => {
        this.remove(old);
        this.put(slice);
      },
      deleted: (slice) => this.remove(slice),
    });
  }

  /** The present state of every Service that changed; a Service that is gone has no ports. Marks all as seen. */
  take(): ServiceState[] {
    const states = [...this.dirty].map((key) => this.stateOf(key));
    this.dirty.clear();
    return states;
  }

  /** When the changes taken with the last `take` happened in the cluster (milliseconds since 1970). */
  takeChangeTimes(): number[] {
    return this.changeTimesMs.splice(0);
  }

  /** Something that all rules depend on changed. */
  markAll(): void {
    for (const service of this.services.list()) this.mark(keyOf(service));
  }

  private stateOf(key: string): ServiceState {
    const [namespace = '', name = ''] = key.split('/');
    const service = this.services.get(name, namespace);
    const slices = [...(this.slicesOf.get(key)?.values() ?? [])];
    const ports = service === undefined ? [] : servicePorts(service, this.family);
    return {
      key,
      ports: ports.map((port) => ({ port, endpoints: endpointsOfPort(slices, port.portName, port.protocol) })),
    };
  }

  private put(slice: Live<EndpointSlice>): void {
    const key = serviceOfSlice(slice, this.family);
    if (key === undefined) return;
    const siblings = this.slicesOf.get(key) ?? new Map<string, Live<EndpointSlice>>();
    siblings.set(slice.metadata.name, slice);
    this.slicesOf.set(key, siblings);
    const at = Date.parse(slice.metadata.annotations?.[CHANGE_TIME] ?? '');
    if (!Number.isNaN(at)) this.changeTimesMs.push(at);
    this.mark(key);
  }

  private remove(slice: Live<EndpointSlice>): void {
    const key = serviceOfSlice(slice, this.family);
    if (key === undefined) return;
    const siblings = this.slicesOf.get(key);
    siblings?.delete(slice.metadata.name);
    if (siblings?.size === 0) this.slicesOf.delete(key);
    this.mark(key);
  }

  private mark(key: string): void {
    this.dirty.add(key);
    this.changed();
  }
}

function keyOf({ metadata }: Live<Service>): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
