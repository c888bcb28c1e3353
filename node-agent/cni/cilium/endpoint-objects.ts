/** CiliumEndpoint: what the API shows of each pod here, as the original's agent writes it. With its pod the object goes. */
import { CILIUMENDPOINTS } from '../../../shared/api/resources.ts';
import { isApiError } from '../../../shared/api/status.ts';
import type { ApiClient } from '../../../shared/bus/api-client.ts';
import { BusTimeoutError, BusUnavailableError } from '../../../shared/bus/bus-error.ts';
import { formatIpv4 } from '../../../shared/wire/address.ts';
import type { EndpointDirectory } from '../../datapath/cilium/endpoint-directory.ts';
import { reservedName } from '../../datapath/cilium/identity.ts';
import { labelLines } from '../../datapath/cilium/security-labels.ts';

export interface EndpointObjectsOptions {
  readonly api: ApiClient;
  readonly directory: EndpointDirectory;
  /** Of the node, as text. */
  readonly nodeIp: string;
  /** The number that its node knows it by. */
  readonly endpointId: (address: number) => number;
}

export class EndpointObjects {
  private readonly options: EndpointObjectsOptions;
  /** By the pod's uid: what was written last. */
  private readonly written = new Map<string, string>();

  constructor(options: EndpointObjectsOptions) {
    this.options = options;
  }

  /** Writes what is new. False asks for another try. */
  async sync(): Promise<boolean> {
    const here = this.options.directory.here().filter(([, { identity }]) => reservedName(identity) === undefined);
    const uids = new Set(here.map(([, { pod }]) => pod.uid));
    for (const uid of this.written.keys()) if (!uids.has(uid)) this.written.delete(uid);
    const done = await Promise.all(here.map(([address]) => this.write(address)));
    return done.every(Boolean);
  }

  private async write(address: number): Promise<boolean> {
    const { api, directory } = this.options;
    const known = directory.endpointAt(address);
    if (known === undefined) return true;
    const { pod } = known;
    const object = this.objectOf(address);
    const text = JSON.stringify(object);
    if (this.written.get(pod.uid) === text) return true;
    try {
      const { status } = object;
      await api.create(CILIUMENDPOINTS, object).catch((error: unknown) => {
        if (!isApiError(error, 'AlreadyExists')) throw error;
      });
      const body = { metadata: { ownerReferences: object.metadata.ownerReferences }, status };
      await api.patch(CILIUMENDPOINTS, pod.name, pod.namespace, { type: 'merge', subresource: 'status', body });
      this.written.set(pod.uid, text);
      return true;
    } catch (error) {
      // The pod is gone, or its namespace; or nobody can write now.
      if (isApiError(error, 'NotFound')) return true;
      if (isApiError(error) || error instanceof BusTimeoutError || error instanceof BusUnavailableError) return false;
      throw error;
    }
  }

  private objectOf(address: number) {
    const { directory, nodeIp, endpointId } = this.options;
    const { pod, identity } = directory.endpointAt(address)!; // one that is here
    const labels = labelLines(directory.labelsFor(identity) ?? {});
    const owner = { apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid };
    return {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumEndpoint',
      metadata: { name: pod.name, namespace: pod.namespace, labels: pod.labels, ownerReferences: [owner] },
      status: {
        id: endpointId(address),
        identity: { id: identity, labels },
        networking: { addressing: [{ ipv4: formatIpv4(address) }], node: nodeIp },
        state: 'ready',
      },
    };
  }
}
