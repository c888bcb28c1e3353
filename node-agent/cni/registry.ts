/** CNI plugins by name. */
import { Canal } from './canal/canal.ts';
import { Flannel } from './flannel/flannel.ts';
import type { CniContext, CniPlugin } from './plugin.ts';

/** The name is none of ours. */
export class UnknownCniError extends Error {
  override readonly name = 'UnknownCniError';
}

const PLUGINS: Readonly<Record<string, ((context: CniContext) => CniPlugin) | null>> = {
  canal: (context) => new Canal(context),
  flannel: (context) => new Flannel(context),
  // The node stays NotReady and its pods ContainerCreating, as in a cluster whose network was not installed yet.
  none: null,
};

/** Undefined for `none`. */
export function createPlugin(name: string, context: CniContext): CniPlugin | undefined {
  const create = PLUGINS[name];
  if (create === undefined) {
    throw new UnknownCniError(`there is no CNI plugin '${name}'; there are ${Object.keys(PLUGINS).join(', ')}`);
  }
  return create?.(context);
}
