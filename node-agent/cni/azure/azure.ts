/** azure: pods on the virtual network, transparent or as its overlay has them; see README.md. */
import { comment } from '../../../shared/rules/match.ts';
import { jump } from '../../../shared/rules/target.ts';
import type { RulesTransaction } from '../../../shared/rules/transaction.ts';
import { networkOf } from '../../../shared/wire/ip-address.ts';
import { FabricNetwork, type FabricOptions } from '../../datapath/network/fabric-network.ts';
import type { NetworkParts } from '../../datapath/network/node-network.ts';
import { FabricCni } from '../fabric-cni.ts';
import { HostLocalPods } from '../ipam/host-local-pods.ts';
import { PORTMAP } from '../network-configuration.ts';
import type { CniContext } from '../plugin.ts';
import { AZURE_STATE_FILE, azureState } from './azure-state.ts';

/** `transparent`: pods are of the virtual network. `overlay`: of a network of their own, beyond which nodes speak for them. */
export type AzureMode = 'transparent' | 'overlay';

/** The node's end of every cable has this MAC, as in the original. */
const HOST_MAC = 0xaaaa_aaaa_aaaa;

export function azureNetwork(mode: AzureMode): FabricOptions {
  const rules = (parts: NetworkParts) => masqueradeRules(parts, mode);
  return { cablePrefix: 'azv', hostMac: () => HOST_MAC, mtuBytes: 1500, rules };
}

function masqueradeRules(
  { bootId, clusterCidr, internalIp, internalPrefixLength }: NetworkParts,
  mode: AzureMode,
): RulesTransaction {
  const subnet = { address: networkOf(internalIp, internalPrefixLength), prefixLength: internalPrefixLength };
  const local = mode === 'overlay' ? [clusterCidr] : [subnet, clusterCidr];
  const isRemote = { kind: 'addrtype', side: 'destination', type: 'LOCAL', negated: true } as const;
  const text =
    'ip-masq-agent: ensure nat POSTROUTING directs all non-LOCAL destination traffic to our custom IP-MASQ-AGENT chain';
  return {
    owner: 'ip-masq-agent',
    family: 'ipv4',
    bootId,
    base: null,
    tables: {
      nat: {
        set: {
          'IP-MASQ-AGENT': [
            ...local.map((destination) => ({
              destination,
              matches: [comment('ip-masq-agent: local traffic is not subject to MASQUERADE')],
              target: { kind: 'return' } as const,
            })),
            {
              matches: [comment('ip-masq-agent: outbound traffic is subject to MASQUERADE (must be last in chain)')],
              target: { kind: 'masquerade' },
            },
          ],
        },
        hooks: [
          {
            chain: 'POSTROUTING',
            position: 'last',
            rule: { matches: [comment(text), isRemote], target: jump('IP-MASQ-AGENT') },
          },
        ],
      },
    },
  };
}

export function azure(context: CniContext, mode: AzureMode): FabricCni {
  const ipam = { type: mode === 'overlay' ? 'azure-cns' : 'azure-vnet-ipam' };
  const plugin = { type: 'azure-vnet', mode: 'transparent', ipsToRouteViaHost: ['169.254.20.10'], ipam };
  const content = { cniVersion: '0.3.0', name: 'azure', plugins: [plugin, { ...PORTMAP, snat: true }] };
  context.datapath.use((parts) => new FabricNetwork(parts, azureNetwork(mode)));
  return new FabricCni(context, {
    pods: new HostLocalPods(context),
    configuration: { fileName: '10-azure.conflist', content },
    files: { [AZURE_STATE_FILE]: () => azureState(context.datapath) },
    up: { reason: 'AzureCniIsUp', message: 'Azure CNI is running on this node' },
  });
}
