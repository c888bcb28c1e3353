/** CNI plugins by name. */
import { backendsOf, type CniBackend, type CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import type { Tunnelling } from '../datapath/network/bgp-backend.ts';
import type { CiliumRouting } from '../datapath/network/cilium-network.ts';
import type { Encapsulation } from '../datapath/network/routed-network.ts';
import { awsVpc } from './aws-vpc/aws-vpc.ts';
import { azure } from './azure/azure.ts';
import { Bridge } from './bridge/bridge.ts';
import { calico } from './calico/calico.ts';
import { Cilium } from './cilium/cilium.ts';
import { FLANNEL_BACKENDS } from './flannel/backend-data.ts';
import { Flannel } from './flannel/flannel.ts';
import { KubeRouter } from './kube-router/kube-router.ts';
import type { CniContext, CniPlugin } from './plugin.ts';
import { Weave } from './weave/weave.ts';
import { weaveChoice } from './weave/weave-choice.ts';

/** Undefined for `none`: the node stays NotReady and its pods ContainerCreating, as before a network is installed. */
export function createPlugin(
  name: CniPluginName,
  backend: CniBackend | undefined,
  context: CniContext,
): CniPlugin | undefined {
  const chosen = backend ?? backendsOf(name)[0];
  switch (name) {
    case 'none':
      return undefined;
    case 'calico':
      return calico(context, encapsulationOf(chosen));
    case 'kube-router':
      return new KubeRouter(context, tunnellingOf(chosen));
    case 'weave':
      return new Weave(context, weaveChoice(chosen, context.settings));
    case 'bridge':
      return new Bridge(context);
    case 'aws-vpc':
      return awsVpc(context);
    case 'azure':
      return azure(context, chosen === 'overlay' ? chosen : 'transparent');
    case 'cilium':
      return new Cilium(context, ciliumRoutingOf(chosen));
    case 'flannel':
    // canal is flannel's network with NetworkPolicy in force.
    case 'canal':
      return new Flannel(context, FLANNEL_BACKENDS.find((backend) => backend === chosen) ?? 'vxlan');
  }
}

function encapsulationOf(backend: CniBackend | undefined): Encapsulation {
  return backend === 'vxlan' || backend === 'vxlan-cross-subnet' ? backend : tunnellingOf(backend);
}

function tunnellingOf(backend: CniBackend | undefined): Tunnelling {
  return backend === 'none' || backend === 'ipip-cross-subnet' ? backend : 'ipip';
}

function ciliumRoutingOf(backend: CniBackend | undefined): CiliumRouting {
  return backend === 'geneve' || backend === 'native' || backend === 'wireguard' ? backend : 'vxlan';
}
