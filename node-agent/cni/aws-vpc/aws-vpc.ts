/** aws-vpc: pods with addresses of the VPC, on interfaces with jumbo frames; see README.md. */
import { DEFAULT_INSTANCE_TYPE, interfaceLimits } from '../../../shared/runtime/instance-types.ts';
import { randomMac } from '../../datapath/device-identity.ts';
import { ElasticNetwork } from '../../datapath/network/elastic-network.ts';
import type { FabricOptions } from '../../datapath/network/fabric-network.ts';
import { FabricCni } from '../fabric-cni.ts';
import { PORTMAP } from '../network-configuration.ts';
import type { CniContext } from '../plugin.ts';
import { EniPods } from './eni-pods.ts';
import { IPAM_CHECKPOINT_FILE, ipamCheckpoint } from './ipam-checkpoint.ts';
import { snatRules } from './snat-rules.ts';
import { warmTargets } from './warm-targets.ts';

export const AWS_VPC_NETWORK: FabricOptions = {
  cablePrefix: 'eni',
  hostMac: randomMac,
  mtuBytes: 9001,
  rules: snatRules,
};

/** Throws RangeError for an instance type that is not known. */
export function awsVpc(context: CniContext): FabricCni {
  const { datapath, instanceType = DEFAULT_INSTANCE_TYPE, settings = {} } = context;
  const limits = interfaceLimits(instanceType);
  if (limits === undefined) throw new RangeError(`the instance type '${instanceType}' is not known`);
  const interfaceOf = (address: number): number => pods.interfaceOf(address);
  const network = datapath.use((parts) => new ElasticNetwork(parts, { ...AWS_VPC_NETWORK, interfaceOf }));
  const pods = new EniPods({ context, network, limits, warm: warmTargets(settings) });
  const plugin = { name: 'aws-cni', type: 'aws-cni', vethPrefix: 'eni', mtu: '9001', pluginLogLevel: 'DEBUG' };
  const content = { cniVersion: '0.4.0', name: 'aws-cni', disableCheck: true, plugins: [plugin, PORTMAP] };
  return new FabricCni(context, {
    pods,
    configuration: { fileName: '10-aws.conflist', content },
    files: { [IPAM_CHECKPOINT_FILE]: () => ipamCheckpoint(datapath) },
    up: { reason: 'AwsVpcCniIsUp', message: 'The Amazon VPC CNI is running on this node' },
  });
}
