/**
 * Folders of the emulated node that pods may have as hostPath volumes and that the node's own commands see: those by which a
 * network is installed. They are in memory, and empty after a start of the node.
 */
import { emptyVolume, type Volume } from '../images/files/volume.ts';

export const CNI_CONFIGURATION_FOLDER = '/etc/cni/net.d';

/** Where daemons of networks keep what their CNI plugins read, and the plugins themselves. */
const FOLDERS = [
  CNI_CONFIGURATION_FOLDER,
  '/opt/cni/bin',
  '/run/flannel',
  '/var/lib/cni',
  '/var/run',
  '/var/run/calico',
  '/var/run/aws-node',
];

export class NodeFolders {
  private readonly volumes = new Map(FOLDERS.map((path) => [path, emptyVolume()]));

  /** Undefined for a path that is none of them. */
  find(path: string): Volume | undefined {
    return this.volumes.get(path.length > 1 ? path.replace(/\/+$/, '') : path);
  }

  mounts(): { readonly path: string; readonly volume: Volume }[] {
    return [...this.volumes].map(([path, volume]) => ({ path, volume }));
  }
}
