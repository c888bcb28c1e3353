/**
 * The files of /etc/cni/net.d: which network a node has. The first by name counts, as the container runtimes have it.
 * https://github.com/containernetworking/cni/blob/main/SPEC.md
 */
import { CNI_PLUGINS, type CniPluginName } from '../../shared/runtime/cni-plugins.ts';

/** A file as a plugin's installer writes it. */
export interface NetworkConfiguration {
  readonly fileName: string;
  /** To be written as JSON. */
  readonly content: Readonly<Record<string, unknown>>;
}

export interface ConfigurationFile {
  readonly name: string;
  readonly text: string;
}

/** Host ports, behind the plugin that makes the network. */
export const PORTMAP = { type: 'portmap', capabilities: { portMappings: true } } as const;

const NAMES = /\.(conf|conflist|json)$/;

/** Which plugins a configuration may be of, by the type of its first: a canal is configured as a flannel is. */
const PLUGINS_OF: Readonly<Record<string, readonly string[]>> = {
  flannel: ['flannel', 'canal'],
  calico: ['calico'],
  'kube-bridge': ['kube-router'],
  bridge: ['bridge'],
  'weave-net': ['weave'],
  'cilium-cni': ['cilium'],
  'aws-cni': ['aws-vpc'],
  'azure-vnet': ['azure'],
};

/** The plugins that the first usable file may be of; none when there is no such file. */
export function configuredPlugins(files: readonly ConfigurationFile[]): readonly CniPluginName[] {
  const usable = files.filter(({ name }) => NAMES.test(name)).sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const { text } of usable) {
    const kind = kindOf(text);
    const names = kind === undefined ? [] : (PLUGINS_OF[kind] ?? []);
    const plugins = CNI_PLUGINS.filter((name) => names.includes(name));
    if (plugins.length > 0) return plugins;
  }
  return [];
}

/** The first plugin of a list, or the only one, as its installer wrote it. */
export function firstPlugin(configuration: object): unknown {
  const isList = 'plugins' in configuration && Array.isArray(configuration.plugins);
  return isList ? (configuration.plugins as readonly unknown[])[0] : configuration;
}

/** The type of the first plugin; kube-router's is a bridge with a name of its own. Undefined for what is no configuration. */
function kindOf(text: string): string | undefined {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const first = firstPlugin(value);
  if (typeof first !== 'object' || first === null || !('type' in first)) return undefined;
  if ('bridge' in first && first.bridge === 'kube-bridge') return 'kube-bridge';
  return typeof first.type === 'string' ? first.type : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Half of a file that is being written; the next change of it is looked at again.
    return undefined;
  }
}
