/** What a container runtime says of a network plugin that could not do its work (containerd, with the words of libcni). */
import type { NetworkConfiguration } from './network-configuration.ts';

/** `uid`: of the pod, by which its sandbox is known, whose name is 64 digits long. */
export function addFailed({ content }: NetworkConfiguration, uid: string, message: string): string {
  const sandbox = uid.replaceAll('-', '').repeat(2);
  return `rpc error: code = Unknown desc = failed to setup network for sandbox "${sandbox}": plugin ${describe(content)} failed (add): ${message}`;
}

/** The first plugin of a list, or the only one, as it names itself. */
function describe(content: NetworkConfiguration['content']): string {
  const isList = Array.isArray(content.plugins);
  const plugin = (isList ? (content.plugins as readonly unknown[])[0] : content) as Record<string, unknown>; // as its installer wrote it
  const name = plugin.name === undefined ? '' : ` name="${plugin.name}"`;
  return `type="${plugin.type}"${name}`;
}
