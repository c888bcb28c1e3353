/** A volume that containers of one pod mount: emptyDir, or the projected files of a configMap, secret or downward API. */
import { DirectoryNode, FileNode, SymlinkNode } from './file-node.ts';

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

/** The link through which all files of a projection are reached; programs that reload watch for it to change. */
const DATA_LINK = '..data';

/** `files`: path relative to the mount point -> content. */
export function projectedVolume(files: Readonly<Record<string, ProjectedFile>>): Volume {
  const volume = { directory: new DirectoryNode() };
  replaceProjection(volume, files);
  return volume;
}

/**
 * Puts new content in the place of the old in one step, laid out as the kubelet does it: a folder named by the time holds the
 * files, `..data` points to it, and every name of the mount point leads through `..data`.
 */
export function replaceProjection(volume: Volume, files: Readonly<Record<string, ProjectedFile>>): void {
  const { directory } = volume;
  const content = contentOf(files);
  const folder = folderName(new Date());
  directory.set(folder, content);
  directory.set(DATA_LINK, new SymlinkNode(folder));
  for (const name of content.names()) {
    if (!directory.entries.has(name)) directory.set(name, new SymlinkNode(`${DATA_LINK}/${name}`));
  }
  for (const name of directory.names()) {
    if (name !== folder && name !== DATA_LINK && !content.entries.has(name)) directory.delete(name);
  }
}

function contentOf(files: Readonly<Record<string, ProjectedFile>>): DirectoryNode {
  const content = new DirectoryNode();
  for (const [path, file] of Object.entries(files)) {
    const names = path.split('/').filter((name) => name !== '');
    const last = names.pop();
    if (last === undefined) continue;
    let directory = content;
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
  return content;
}

/** `..2026_11_29_03_04_18.123456789`: the second, and what tells two of one second apart. */
function folderName(time: Date): string {
  const second = time.toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_');
  return `..${second}.${Math.floor(Math.random() * 1e9)}`;
}
