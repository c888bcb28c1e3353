/** /var/run/aws-node/ipam.json: ipamd's checkpoint of the addresses that pods have, from which it goes on after a restart. */
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../../datapath/path.ts';

export const IPAM_CHECKPOINT_FILE = '/var/run/aws-node/ipam.json';

export function ipamCheckpoint(datapath: NodeDatapath): string {
  const allocations = [...datapath.pods.values()].map(({ id, address, podDevice }) => {
    const [k8sPodNamespace, k8sPodName] = id.split('/');
    return {
      networkName: 'aws-cni',
      ifName: podDevice.name,
      ipv4: formatAddress(address),
      metadata: { k8sPodNamespace, k8sPodName },
    };
  });
  return `${JSON.stringify({ version: 'vpc-cni-ipam/1', allocations })}\n`;
}
