/** CNI plugins by name. */
import type { CniPluginName } from '../../shared/runtime/cni-plugins.ts';
import { Flannel } from './flannel/flannel.ts';
import type { CniContext, CniPlugin } from './plugin.ts';

const PLUGINS: Readonly<Record<CniPluginName, ((context: CniContext) => CniPlugin) | null>> = {
  // flannel's network, and NetworkPolicy in force.
  canal: (context) => new Flannel(context),
  flannel: (context) => new Flannel(context),
  // The node stays NotReady and its pods ContainerCreating, as in a cluster whose network was not installed yet.
  none: null,
};

/** Undefined for `none`. */
export function createPlugin(name: CniPluginName, context: CniContext): CniPlugin | undefined {
  return PLUGINS[name]?.(context);
}
