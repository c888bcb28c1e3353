/** The volumes of one pod as folders of the machine: its containers share what they write there. */
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DirectoryNode, type FileTreeNode } from '../images/files/file-node.ts';
import type { Volume } from '../images/files/volume.ts';

export class VolumeFolders {
  private readonly base: string;
  private readonly folders = new Map<Volume, string>();

  constructor(base: string) {
    this.base = base;
  }

  /** The volume's folder. Files that were made from objects are there as the objects have them now. */
  async folderOf(volume: Volume): Promise<string> {
    let folder = this.folders.get(volume);
    if (folder === undefined) {
      folder = join(this.base, String(this.folders.size));
      this.folders.set(volume, folder);
    }
    await writeTree(folder, volume.directory);
    return folder;
  }
}

async function writeTree(path: string, node: FileTreeNode): Promise<void> {
  if (node instanceof DirectoryNode) {
    await mkdir(path, { recursive: true });
    await chmod(path, node.mode);
    for (const [name, child] of node.entries) await writeTree(join(path, name), child);
  } else if (node.kind === 'file') {
    await writeFile(path, node.bytes);
    await chmod(path, node.mode);
  }
}
