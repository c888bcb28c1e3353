/** /var/run/azure-vnet.json: what azure-vnet keeps of the pods that it plugged in. */
import { formatMac } from '../../../shared/wire/address.ts';
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import type { NodeDatapath } from '../../datapath/path.ts';

export const AZURE_STATE_FILE = '/var/run/azure-vnet.json';

/** As Go writes the four bytes of a /32. */
const HOST_MASK = '/////w==';

export function azureState(datapath: NodeDatapath): string {
  const endpoints = [...datapath.pods.values()].map(({ id, address, hostDevice, podDevice }) => {
    const [namespace, name] = id.split('/');
    // The cable's digits stand for the sandbox's, which has no name of its own here.
    const endpointId = `${hostDevice.name.slice('azv'.length, 'azv'.length + 8)}-${podDevice.name}`;
    const endpoint = {
      Id: endpointId,
      IfName: podDevice.name,
      HostIfName: hostDevice.name,
      MacAddress: formatMac(podDevice.macAddress),
      IPAddresses: [{ IP: formatAddress(address), Mask: HOST_MASK }],
      PODName: name,
      PODNameSpace: namespace,
    };
    return [endpointId, endpoint] as const;
  });
  const network = { Id: 'azure', Mode: 'transparent', VlanId: 0, Endpoints: Object.fromEntries(endpoints) };
  const eth0 = { Name: 'eth0', Networks: { azure: network } };
  return `${JSON.stringify({ Network: { Version: 'v1.5.3', ExternalInterfaces: { eth0 } } }, null, '\t')}\n`;
}
