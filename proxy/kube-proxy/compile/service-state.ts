/** A Service as the compilers take it. */
import type { Endpoint } from './endpoint.ts';
import type { ServicePort } from './service-port.ts';

export interface ServiceState {
  /** `namespace/name` */
  readonly key: string;
  /** None: the Service is gone, or not for a proxy. */
  readonly ports: readonly { readonly port: ServicePort; readonly endpoints: readonly Endpoint[] }[];
}
