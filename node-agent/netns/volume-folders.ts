/** The volumes of one pod as folders of the machine: its containers share what they write there. */
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type DirectoryNode, FileNode } from '../images/files/file-node.ts';
import type { Volume } from '../images/files/volume.ts';

interface VolumeFolder {
  readonly path: string;
  /** Files that were made from objects, by their path in the volume; what programs wrote is theirs. */
  made: Map<string, FileNode>;
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

/** A file is replaced in one step: no program sees half of it. */
async function bringUpToDate(folder: VolumeFolder, volume: Volume): Promise<void> {
  const wanted = filesOf(volume.directory);
  for (const path of folder.made.keys()) if (!wanted.has(path)) await rm(join(folder.path, path), { force: true });
  for (const [path, file] of wanted) {
    if (folder.made.get(path) === file) continue;
    const target = join(folder.path, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(`${target}.new`, file.bytes);
    await chmod(`${target}.new`, file.mode);
    await rename(`${target}.new`, target);
  }
  folder.made = wanted;
}

function filesOf(directory: DirectoryNode, prefix = ''): Map<string, FileNode> {
  const files = new Map<string, FileNode>();
  for (const [name, node] of directory.entries) {
    if (node instanceof FileNode) files.set(prefix + name, node);
    else if ('entries' in node) for (const [path, file] of filesOf(node, `${prefix}${name}/`)) files.set(path, file);
  }
  return files;
}
