/** Plugs pods in with the addresses of host-local IPAM: what fails gives its address back, and so does what is detached. */
import type { NodeDatapath } from '../datapath/path.ts';
import type { HostLocalIpam } from './ipam/host-local.ts';
import type { CniAttachment, PodAttachRequest } from './plugin.ts';

export interface PodLeases {
  readonly datapath: NodeDatapath;
  /** Undefined before the node has a pod CIDR. */
  readonly ipam: HostLocalIpam | undefined;
  /** Of a dual-stack node: what goes with an address. */
  readonly addressIpv6?: (address: number) => number | undefined;
  /** Told of an address before the pod has it. */
  readonly given?: (address: number) => void;
}

/** Throws AddressesExhaustedError, and when the node has no pod CIDR yet. */
export function attachLeased(
  { datapath, ipam, addressIpv6: pairOf, given }: PodLeases,
  { uid, id }: PodAttachRequest,
): CniAttachment {
  if (ipam === undefined) throw new Error(`pod ${id} is attached before the node has a pod CIDR`);
  const address = ipam.allocate(uid);
  try {
    given?.(address);
    const addressIpv6 = pairOf?.(address);
    const attachment = datapath.attachPod({ id, address, addressIpv6 });
    const detach = (): void => {
      attachment.detach();
      ipam.release(uid);
    };
    return { address, addressIpv6, host: attachment.host, detach };
  } catch (error) {
    ipam.release(uid);
    throw error;
  }
}
