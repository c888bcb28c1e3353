/** The volumes of one pod as folders of the machine: its containers share what they write there. */
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DirectoryNode, FileNode, SymlinkNode } from '../images/files/file-node.ts';
import type { Volume } from '../images/files/volume.ts';

type ObjectNode = FileNode | DirectoryNode | SymlinkNode;

interface VolumeFolder {
  readonly path: string;
  /** What was made from objects, by its path in the volume; what programs wrote is theirs. */
  made: Map<string, ObjectNode>;
}

export class VolumeFolders {
  private readonly base: string;
  private readonly folders = new Map<Volume, VolumeFolder>();

  constructor(base: string) {
    this.base = base;
  }

  /** The volume's folder, with the files that its objects have now. */
  async folderOf(volume: Volume): Promise<string> {
    let folder = this.folders.get(volume);
    if (folder === undefined) {
      folder = { path: join(this.base, String(this.folders.size)), made: new Map() };
      this.folders.set(volume, folder);
      await mkdir(folder.path, { recursive: true });
      await chmod(folder.path, volume.directory.mode);
    }
    await bringUpToDate(folder, volume);
    return folder.path;
  }

  /** The objects behind the volumes may have changed. */
  async refresh(): Promise<void> {
    for (const [volume, folder] of this.folders) await bringUpToDate(folder, volume);
  }
}

/** New files first, then the links to them, then what is gone; each in one step: no program sees half of it. */
async function bringUpToDate(folder: VolumeFolder, volume: Volume): Promise<void> {
  const wanted = nodesOf(volume.directory);
  const isMade = (path: string, node: ObjectNode): boolean => folder.made.get(path) === node;
  for (const [path, node] of wanted) {
    if (isMade(path, node) || node.kind !== 'file') continue;
    const target = join(folder.path, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.new`, node.bytes);
    await chmod(`${target}.new`, node.mode);
    await rename(`${target}.new`, target);
  }
  for (const [path, node] of wanted) {
    if (isMade(path, node) || node.kind !== 'symlink') continue;
    const target = join(folder.path, path);
    await symlink(node.target, `${target}.new`);
    await rename(`${target}.new`, target);
  }
  for (const path of folder.made.keys()) {
    if (!wanted.has(path)) await rm(join(folder.path, path), { recursive: true, force: true });
  }
  folder.made = wanted;
}

function nodesOf(directory: DirectoryNode, prefix = ''): Map<string, ObjectNode> {
  const nodes = new Map<string, ObjectNode>();
  for (const [name, node] of directory.entries) {
    if (node instanceof FileNode || node instanceof SymlinkNode) nodes.set(prefix + name, node);
    else if (node instanceof DirectoryNode) {
      nodes.set(prefix + name, node);
      for (const [path, inner] of nodesOf(node, `${prefix}${name}/`)) nodes.set(path, inner);
    }
  }
  return nodes;
}
