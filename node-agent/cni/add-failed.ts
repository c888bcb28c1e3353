/** What a container runtime says of a network plugin that could not do its work (containerd, with the words of libcni). */
import { firstPlugin, type NetworkConfiguration } from './network-configuration.ts';

/** `uid`: of the pod, by which its sandbox is known, whose name is 64 digits long. */
export function addFailed({ content }: NetworkConfiguration, uid: string, message: string): string {
  const sandbox = uid.replaceAll('-', '').repeat(2);
  return `rpc error: code = Unknown desc = failed to setup network for sandbox "${sandbox}": plugin ${describe(content)} failed (add): ${message}`;
}

/** As it names itself. */
function describe(content: NetworkConfiguration['content']): string {
  const plugin = firstPlugin(content) as Record<string, unknown>; // of ours
  const name = plugin.name === undefined ? '' : ` name="${plugin.name}"`;
  return `type="${plugin.type}"${name}`;
}
