/** Plugs pods in with addresses that they hold for life: what fails gives its address back, and so does what is detached. */
import type { NodeDatapath } from '../datapath/path.ts';
import type { CniAttachment, PodAttachRequest } from './plugin.ts';

/** Who gives out addresses; owners are the uids of pods. */
export interface AddressPool {
  /** The owner's address, a new one if it has none. Throws AddressesExhaustedError. */
  allocate(owner: string): number;
  release(owner: string): void;
}

export interface PodLeases {
  readonly datapath: NodeDatapath;
  /** Undefined before the node has a pod CIDR. */
  readonly ipam: AddressPool | undefined;
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
