/** CNI plugins by name. A node has one in its life, so only that one's code is loaded. */
import { backendsOf, type CniBackend, type CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import type { Tunnelling } from '../datapath/network/bgp-backend.ts';
import type { CiliumRouting } from '../datapath/network/cilium-network.ts';
import type { Encapsulation } from '../datapath/network/routed-network.ts';
import type { CniContext, CniPlugin } from './plugin.ts';

/** Makes a plugin that is loaded; its backend is the plugin's first where none is named. */
export type CreatePlugin = (context: CniContext, backend: CniBackend | undefined) => CniPlugin;

/** Of a plugin whose code is not there, or does not run. */
export class PluginLoadError extends Error {
  constructor(name: CniPluginName, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`the CNI plugin '${name}' cannot be loaded: ${reason}; install podwire anew, or choose another plugin`, {
      cause,
    });
  }
}

/**
 * Undefined for `none`: the node stays NotReady and its pods ContainerCreating, as before a network is installed.
 *
 * Rejects with PluginLoadError.
 */
export async function loadPlugin(name: CniPluginName): Promise<CreatePlugin | undefined> {
  if (name === 'none') return undefined;
  try {
    const create = await LOADERS[name]();
    return (context, backend) => create(context, backend ?? backendsOf(name)[0]);
  } catch (error) {
    throw new PluginLoadError(name, error);
  }
}

const LOADERS: Readonly<Record<Exclude<CniPluginName, 'none'>, () => Promise<CreatePlugin>>> = {
  calico: async () => {
    const { calico } = await import('./calico/calico.ts');
    return (context, backend) => calico(context, encapsulationOf(backend));
  },
  'kube-router': async () => {
    const { KubeRouter } = await import('./kube-router/kube-router.ts');
    return (context, backend) => new KubeRouter(context, tunnellingOf(backend));
  },
  weave: async () => {
    const { Weave } = await import('./weave/weave.ts');
    const { weaveChoice } = await import('./weave/weave-choice.ts');
    return (context, backend) => new Weave(context, weaveChoice(backend, context.settings));
  },
  bridge: async () => {
    const { Bridge } = await import('./bridge/bridge.ts');
    return (context) => new Bridge(context);
  },
  'aws-vpc': async () => {
    const { awsVpc } = await import('./aws-vpc/aws-vpc.ts');
    return (context) => awsVpc(context);
  },
  azure: async () => {
    const { azure } = await import('./azure/azure.ts');
    return (context, backend) => azure(context, backend === 'overlay' ? backend : 'transparent');
  },
  cilium: async () => {
    const { Cilium } = await import('./cilium/cilium.ts');
    return (context, backend) => new Cilium(context, ciliumRoutingOf(backend));
  },
  flannel: loadFlannel,
  // Flannel's network with NetworkPolicy in force.
  canal: loadFlannel,
};

async function loadFlannel(): Promise<CreatePlugin> {
  const { Flannel } = await import('./flannel/flannel.ts');
  const { FLANNEL_BACKENDS } = await import('./flannel/backend-data.ts');
  return (context, backend) => new Flannel(context, FLANNEL_BACKENDS.find((known) => known === backend) ?? 'vxlan');
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
