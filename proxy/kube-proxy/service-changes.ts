/** Gathers what changed in Services and EndpointSlices, by Service, and how old the oldest unprogrammed change is. */
import type { Service } from 'kubernetes-types/core/v1.js';
import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { type Live, timeMs } from '../../shared/api/live.ts';
import type { Informer } from '../../shared/bus/informer.ts';
import { endpointsOfPort, serviceOfSlice } from './compile/endpoint.ts';
import type { ServiceState } from './compile/iptables/compiler.ts';
import { servicePorts } from './compile/service-port.ts';

export const LAST_CHANGE = 'endpoints.kubernetes.io/last-change-trigger-time';

export interface ServiceInformers {
  readonly services: Informer<Live<Service>>;
  readonly slices: Informer<Live<EndpointSlice>>;
}

export interface Changes {
  readonly states: readonly ServiceState[];
  /** When the endpoint changes among them were triggered, milliseconds since 1970. */
  readonly triggeredAtMs: readonly number[];
}

export class ServiceChanges {
  private readonly informers: ServiceInformers;
  private readonly changed = new Set<string>();
  private readonly slicesByService = new Map<string, Map<string, Live<EndpointSlice>>>();
  private triggeredAtMs: number[] = [];

  /** `onChange` is told of every change; `take` hands them over. */
  constructor(informers: ServiceInformers, onChange: () => void) {
    this.informers = informers;
    const touch = (key: string): void => {
      this.changed.add(key);
      onChange();
    };
    const service = ({ metadata }: Live<Service>): void => touch(`${metadata.namespace ?? ''}/${metadata.name}`);
    informers.services.subscribe({ added: service, updated: service, deleted: service });
    informers.slices.subscribe({
      added: (slice) => this.putSlice(slice, touch),
      updated: (slice, old) => {
        // A slice's owner can change by its label.
        if (serviceOfSlice(old) !== serviceOfSlice(slice)) this.removeSlice(old, touch);
        this.putSlice(slice, touch);
      },
      deleted: (slice) => this.removeSlice(slice, touch),
    });
  }

  take(): Changes {
    const states = [...this.changed].map((key) => this.stateOf(key));
    const { triggeredAtMs } = this;
    this.changed.clear();
    this.triggeredAtMs = [];
    return { states, triggeredAtMs };
  }

  private stateOf(key: string): ServiceState {
    const slash = key.indexOf('/');
    const service = this.informers.services.get(key.slice(slash + 1), key.slice(0, slash));
    if (service === undefined) return { key, ports: [] };
    const slices = [...(this.slicesByService.get(key)?.values() ?? [])];
    const ports = servicePorts(service).map((port) => ({
      port,
      endpoints: endpointsOfPort(slices, port.portName, port.protocol),
    }));
    return { key, ports };
  }

  private putSlice(slice: Live<EndpointSlice>, touch: (key: string) => void): void {
    const key = serviceOfSlice(slice);
    if (key === undefined) return;
    const known = this.slicesByService.get(key);
    if (known === undefined) this.slicesByService.set(key, new Map([[slice.metadata.name, slice]]));
    else known.set(slice.metadata.name, slice);
    const triggeredMs = timeMs(slice.metadata.annotations?.[LAST_CHANGE]);
    if (triggeredMs > 0) this.triggeredAtMs.push(triggeredMs);
    touch(key);
  }

  private removeSlice(slice: Live<EndpointSlice>, touch: (key: string) => void): void {
    const key = serviceOfSlice(slice);
    if (key === undefined) return;
    const known = this.slicesByService.get(key);
    known?.delete(slice.metadata.name);
    if (known?.size === 0) this.slicesByService.delete(key);
    touch(key);
  }
}
