/** A volume that containers of one pod mount: emptyDir, or the projected files of a configMap, secret or downward API. */
import { DirectoryNode, FileNode } from './file-node.ts';

export interface Volume {
  readonly directory: DirectoryNode;
  /** The folder of the machine that it is, for programs in processes of their own; the emulated ones find it empty. */
  readonly machineFolder?: string;
}

export interface ProjectedFile {
  readonly bytes: Uint8Array;
  /** 0644 by default. */
  readonly mode?: number;
}

export function emptyVolume(): Volume {
  return { directory: new DirectoryNode(new Map(), { mode: 0o777 }) };
}

/** A folder of the machine. */
export function machineVolume(machineFolder: string): Volume {
  return { ...emptyVolume(), machineFolder };
}

/** `files`: path relative to the mount point -> content. */
export function projectedVolume(files: Readonly<Record<string, ProjectedFile>>): Volume {
  const volume = { directory: new DirectoryNode() };
  replaceProjection(volume, files);
  return volume;
}

/** Puts new content in the place of the old in one step, as the kubelet does when a configMap changed. */
export function replaceProjection(volume: Volume, files: Readonly<Record<string, ProjectedFile>>): void {
  volume.directory.entries.clear();
  for (const [path, file] of Object.entries(files)) {
    const names = path.split('/').filter((name) => name !== '');
    const last = names.pop();
    if (last === undefined) continue;
    let directory = volume.directory;
    for (const name of names) {
      const next = directory.entries.get(name);
      if (next instanceof DirectoryNode) directory = next;
      else {
        const made = new DirectoryNode();
        directory.set(name, made);
        directory = made;
      }
    }
    directory.set(last, new FileNode(file.bytes, { mode: file.mode }));
  }
}
