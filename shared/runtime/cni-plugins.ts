/** The CNI plugins that a cluster may have, and what processes other than the node-agent must know of them. */
export const CNI_PLUGINS = ['flannel', 'canal', 'none'] as const;
export type CniPluginName = (typeof CNI_PLUGINS)[number];

const ENFORCING: ReadonlySet<CniPluginName> = new Set(['canal']);

/** Whether NetworkPolicies have an effect. */
export function enforcesPolicy(plugin: CniPluginName): boolean {
  return ENFORCING.has(plugin);
}
