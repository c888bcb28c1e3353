/** Names of the cluster's addresses, always current: pods, Services and nodes. */
import type { Node, Pod, Service } from 'kubernetes-types/core/v1.js';
import { NODES, PODS, SERVICES } from '../../shared/api/resources.ts';
import type { Bus } from '../../shared/bus/connection.ts';
import { createInformer, type Informer } from '../../shared/bus/informer.ts';
import { formatIpv4 } from '../../shared/wire/address.ts';
import * as ethernet from '../../shared/wire/ethernet.ts';
import * as ipv4 from '../../shared/wire/ipv4.ts';
import * as vxlan from '../../shared/wire/vxlan.ts';

const OUTER_BYTES = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + 8;

export class AddressNames {
  private readonly byAddress = new Map<string, string>();
  private readonly informers: Informer<unknown>[];

  constructor(bus: Bus) {
    this.informers = [
      this.follow<Node>(createInformer(bus, NODES), (node) => ({
        name: `node ${node.metadata?.name}`,
        addresses: (node.status?.addresses ?? []).map(({ address }) => address),
      })),
      this.follow<Service>(createInformer(bus, SERVICES), (service) => ({
        name: `service ${service.metadata?.namespace}/${service.metadata?.name}`,
        addresses: service.spec?.clusterIPs ?? [],
      })),
      this.follow<Pod>(createInformer(bus, PODS), (pod) => ({
        name: `${pod.metadata?.namespace}/${pod.metadata?.name}`,
        // Pods on the node's network have no address of their own.
        addresses: pod.spec?.hostNetwork === true ? [] : (pod.status?.podIPs ?? []).map(({ ip }) => ip ?? ''),
      })),
    ];
  }

  async start(): Promise<void> {
    await Promise.all(this.informers.map((informer) => informer.start()));
  }

  stop(): void {
    for (const informer of this.informers) informer.stop();
  }

  /** `default/client > service default/web`, the packet inside of a tunnel; undefined when neither end has a name. */
  ends(frame: Uint8Array): string | undefined {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const network = networkOf(view);
    if (network === undefined) return undefined;
    const [source, destination] = [ipv4.source(view, network), ipv4.destination(view, network)].map(formatIpv4);
    const names = [this.byAddress.get(source!), this.byAddress.get(destination!)];
    if (names[0] === undefined && names[1] === undefined) return undefined;
    return `${names[0] ?? source} > ${names[1] ?? destination}`;
  }

  private follow<T>(
    informer: Informer<T>,
    read: (object: T) => { readonly name: string; readonly addresses: readonly string[] },
  ): Informer<unknown> {
    const forget = (object: T): void => {
      const { name, addresses } = read(object);
      for (const address of addresses) if (this.byAddress.get(address) === name) this.byAddress.delete(address);
    };
    const add = (object: T): void => {
      const { name, addresses } = read(object);
      for (const address of addresses) this.byAddress.set(address, name);
    };
    informer.subscribe({
      added: add,
      updated: (object, old) => {
        forget(old);
        add(object);
      },
      deleted: forget,
    });
    return informer;
  }
}

/** Of the innermost IPv4 header that was captured. */
function networkOf(view: DataView): number | undefined {
  const outer = ipv4After(view, 0);
  if (outer === undefined || ipv4.protocol(view, outer) !== ipv4.PROTOCOL_UDP) return outer;
  if (OUTER_BYTES + vxlan.HEADER_BYTES > view.byteLength || view.getUint16(outer + 22) !== vxlan.PORT) return outer;
  return ipv4After(view, OUTER_BYTES + vxlan.HEADER_BYTES) ?? outer;
}

/** A snapshot length may have cut off the packet, so its total length is not asked. */
function ipv4After(view: DataView, frame: number): number | undefined {
  const network = frame + ethernet.HEADER_BYTES;
  if (network + ipv4.HEADER_BYTES > view.byteLength || ethernet.type(view, frame) !== ethernet.TYPE_IPV4)
    return undefined;
  return view.getUint8(network) >>> 4 === 4 ? network : undefined;
}
