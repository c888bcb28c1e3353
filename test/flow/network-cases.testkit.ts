/** Every network that a CNI plugin can make, with what it promises of the way between nodes. */
import { AWS_VPC_NETWORK } from '../../node-agent/cni/aws-vpc/aws-vpc.ts';
import { azureNetwork } from '../../node-agent/cni/azure/azure.ts';
import type { RouteInstaller } from '../../node-agent/cni/bgp/node-speaker.ts';
import { staticRoutesNetwork } from '../../node-agent/cni/bridge/bridge.ts';
import { kubeRouterNetwork } from '../../node-agent/cni/kube-router/kube-router.ts';
import { createNodeKeys } from '../../node-agent/cni/wireguard/node-keys.ts';
import { RESERVED_IDENTITIES } from '../../node-agent/datapath/cilium/identity.ts';
import type { Tunnelling } from '../../node-agent/datapath/network/bgp-backend.ts';
import { hostGatewayNetwork, udpNetwork, vxlanNetwork } from '../../node-agent/datapath/network/bridged-network.ts';
import { CiliumNetwork, type CiliumRouting } from '../../node-agent/datapath/network/cilium-network.ts';
import { FabricNetwork } from '../../node-agent/datapath/network/fabric-network.ts';
import type { NetworkParts, NodeNetwork } from '../../node-agent/datapath/network/node-network.ts';
import { type Encapsulation, isVxlan, RoutedNetwork } from '../../node-agent/datapath/network/routed-network.ts';
import type { KnownPeer } from '../../node-agent/datapath/peer-table.ts';
import { UDP_TUNNEL_PORT } from '../../node-agent/datapath/udp-tunnel-device.ts';
import * as geneve from '../../shared/wire/geneve.ts';
import type { IpPrefix } from '../../shared/wire/ip-address.ts';

export interface NetworkCase {
  readonly network: (parts: NetworkParts) => NodeNetwork;
  readonly mtuBytes: number;
  /** Of the datagrams that carry pods' packets between nodes; 0 is the nodes' plain network. */
  readonly vni: number;
  /** `ip route` of node 1 to the pods of node 2. */
  /** IP protocol of the outermost packet in the frame: UDP where there is none around it. */
  readonly outerProtocol?: number;
  readonly route: { readonly device: string; readonly gateway: string };
  /** Of the outermost UDP packet; anything where pods' own packets are the outermost. */
  readonly outerPort?: number;
  /** Of pods' devices, where the way to other nodes has less. */
  readonly cableMtuBytes?: number;
  /** There is no route for each node: the network finds pods. */
  readonly isFabric?: boolean;
}

export const NETWORKS: Readonly<Record<string, NetworkCase>> = {
  'flannel vxlan': {
    network: vxlanNetwork,
    mtuBytes: 1450,
    vni: 1,
    route: { device: 'flannel.1', gateway: '10.244.2.0' },
  },
  'flannel udp': {
    network: udpNetwork,
    mtuBytes: 1472,
    vni: 0,
    outerPort: UDP_TUNNEL_PORT,
    route: { device: 'flannel0', gateway: '0.0.0.0' },
    isFabric: true,
  },
  'flannel host-gw': {
    network: hostGatewayNetwork,
    mtuBytes: 1500,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'bridge with static routes': {
    network: staticRoutesNetwork,
    mtuBytes: 1500,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'kube-router between neighbours': {
    network: kubeRouter('ipip-cross-subnet'),
    mtuBytes: 1480,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'kube-router with tunnels everywhere': {
    network: kubeRouter('ipip'),
    mtuBytes: 1480,
    vni: 0,
    route: { device: 'tun-192168111', gateway: '0.0.0.0' },
    outerProtocol: 4,
  },
  'calico without encapsulation': {
    network: routed('none'),
    mtuBytes: 1500,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'calico IP-in-IP': {
    network: routed('ipip'),
    mtuBytes: 1480,
    vni: 0,
    route: { device: 'tunl0', gateway: '192.168.1.11' },
    outerProtocol: 4,
  },
  'calico IP-in-IP between subnets alone': {
    network: routed('ipip-cross-subnet'),
    mtuBytes: 1480,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'calico VXLAN between subnets alone': {
    network: routed('vxlan-cross-subnet'),
    mtuBytes: 1450,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'calico VXLAN': {
    network: routed('vxlan'),
    mtuBytes: 1450,
    vni: 4096,
    route: { device: 'vxlan.calico', gateway: '10.244.2.0' },
  },
  'aws-vpc': {
    network: (parts) => new FabricNetwork(parts, AWS_VPC_NETWORK),
    mtuBytes: 9001,
    vni: 0,
    route: { device: 'eth0', gateway: '0.0.0.0' },
    isFabric: true,
  },
  'azure transparent': {
    network: (parts) => new FabricNetwork(parts, azureNetwork('transparent')),
    mtuBytes: 1500,
    vni: 0,
    route: { device: 'eth0', gateway: '0.0.0.0' },
    isFabric: true,
  },
  'azure overlay': {
    network: (parts) => new FabricNetwork(parts, azureNetwork('overlay')),
    mtuBytes: 1500,
    vni: 0,
    route: { device: 'eth0', gateway: '0.0.0.0' },
    isFabric: true,
  },
  'cilium VXLAN': {
    network: cilium('vxlan'),
    mtuBytes: 1450,
    cableMtuBytes: 1500,
    vni: RESERVED_IDENTITIES.init,
    route: { device: 'cilium_host', gateway: '10.244.1.2' },
  },
  'cilium Geneve': {
    network: cilium('geneve'),
    mtuBytes: 1450,
    cableMtuBytes: 1500,
    vni: 0,
    outerPort: geneve.PORT,
    route: { device: 'cilium_host', gateway: '10.244.1.2' },
  },
  'cilium native': {
    network: cilium('native'),
    mtuBytes: 1500,
    vni: 0,
    route: { device: 'eth0', gateway: '192.168.1.11' },
  },
  'cilium native, encrypted': {
    network: cilium('wireguard'),
    mtuBytes: 1420,
    cableMtuBytes: 1500,
    vni: 0,
    outerPort: 51_871,
    route: { device: 'cilium_wg0', gateway: '0.0.0.0' },
  },
};

function kubeRouter(tunnelling: Tunnelling) {
  return (parts: NetworkParts): NodeNetwork => {
    const network = kubeRouterNetwork(parts, tunnelling);
    return withBgpRoutes(network, network.backend);
  };
}

function routed(encapsulation: Encapsulation) {
  return (parts: NetworkParts): NodeNetwork => {
    const network = new RoutedNetwork(parts, encapsulation);
    return isVxlan(encapsulation) ? network : withBgpRoutes(network, network);
  };
}

/** Routes are as BGP would make them; the sessions have tests of their own. */
function withBgpRoutes(network: NodeNetwork, routes: RouteInstaller): NodeNetwork {
  return Object.assign(network, {
    peerAdded: ({ options }: KnownPeer) => routes.setRoute(options.podCidr!, options.internalIp),
    peerRemoved: ({ options }: KnownPeer) => routes.removeRoute(options.podCidr!),
  });
}

/** The second address of a node is its router's, as its plugin leases it; identities of pods have tests of their own. */
function cilium(routing: CiliumRouting) {
  return (parts: NetworkParts): NodeNetwork => {
    const keys = routing === 'wireguard' ? createNodeKeys() : undefined;
    const network = new CiliumNetwork(parts, routing, keys);
    return Object.assign(network, {
      setPodCidr: (podCidr: IpPrefix) => {
        CiliumNetwork.prototype.setPodCidr.call(network, podCidr);
        network.setRouterAddress(podCidr.address + 2);
        for (const last of [5, 6, 7]) network.ipCache.set(podCidr.address + last, RESERVED_IDENTITIES.init);
      },
    });
  };
}
