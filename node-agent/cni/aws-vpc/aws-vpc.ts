/** aws-vpc: pods with addresses of the VPC, on an interface with jumbo frames; see README.md. */
import { comment } from '../../../shared/rules/match.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { networkOf } from '../../../shared/wire/ip-address.ts';
import { randomMac } from '../../datapath/device-identity.ts';
import type { FabricOptions } from '../../datapath/network/fabric-network.ts';
import type { NetworkParts } from '../../datapath/network/node-network.ts';
import { FabricCni } from '../fabric-cni.ts';
import { PORTMAP } from '../network-configuration.ts';
import type { CniContext } from '../plugin.ts';

export const AWS_VPC_NETWORK: FabricOptions = {
  cablePrefix: 'eni',
  hostMac: randomMac,
  mtuBytes: 9001,
  rules: snatRules,
};

/** The VPC's blocks are left alone; what goes beyond them is sent with the node's address. */
function snatRules({ bootId, clusterCidr, internalIp, internalPrefixLength }: NetworkParts): RulesTransaction {
  const subnet = { address: networkOf(internalIp, internalPrefixLength), prefixLength: internalPrefixLength };
  const chain = comment('AWS SNAT CHAIN');
  const isRemote = { kind: 'addrtype', side: 'destination', type: 'LOCAL', negated: true } as const;
  return {
    owner: 'aws-vpc',
    family: 'ipv4',
    bootId,
    base: null,
    tables: {
      nat: {
        set: {
          'AWS-SNAT-CHAIN-0': [
            ...[subnet, clusterCidr].map((destination) => ({
              destination,
              matches: [chain],
              target: { kind: 'return' } as const,
            })),
            {
              outDevice: { name: 'vlan+', negated: true },
              matches: [comment('AWS, SNAT'), isRemote],
              target: { kind: 'snat', address: internalIp, randomFully: true },
            },
          ],
        },
        hooks: [
          { chain: 'POSTROUTING', position: 'last', rule: { matches: [chain], target: jump('AWS-SNAT-CHAIN-0') } },
        ],
      },
    },
  };
}

export function awsVpc(context: CniContext): FabricCni {
  const plugin = { name: 'aws-cni', type: 'aws-cni', vethPrefix: 'eni', mtu: '9001', pluginLogLevel: 'DEBUG' };
  const content = { cniVersion: '0.4.0', name: 'aws-cni', disableCheck: true, plugins: [plugin, PORTMAP] };
  return new FabricCni(context, {
    network: AWS_VPC_NETWORK,
    configuration: { fileName: '10-aws.conflist', content },
    up: { reason: 'AwsVpcCniIsUp', message: 'The Amazon VPC CNI is running on this node' },
  });
}
