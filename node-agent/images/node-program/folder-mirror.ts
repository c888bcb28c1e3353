/**
 * A container's files as a folder of the machine, kept alike in both directions: what changed on one side since the last
 * `sync` is brought to the other, and where both changed, the container's own side wins.
 */
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ContainerFiles } from '../files/container-files.ts';
import { FileError } from '../files/file-error.ts';
import { FileNode } from '../files/file-node.ts';

/** Made by the container's kernel, not kept in files. */
const NOT_FILES = new Set(['/dev', '/proc', '/sys']);

/** What tells one state of a file from another. */
interface Known {
  readonly inside: string;
  readonly outside: string;
}

export class FolderMirror {
  readonly folder: string;
  private readonly files: ContainerFiles;
  private readonly excluded: ReadonlySet<string>;
  private readonly known = new Map<string, Known>();
  private running: Promise<void> = Promise.resolve();
  private stopped = false;

  /** Paths in `excluded`, and what is below them, stay out of it. */
  constructor(files: ContainerFiles, folder: string, excluded: readonly string[] = []) {
    this.files = files;
    this.folder = folder;
    this.excluded = new Set([...NOT_FILES, ...excluded]);
  }

  /** Rejects with the file system's error. Calls do not overlap. */
  sync(): Promise<void> {
    const next = this.running.then(() => (this.stopped ? undefined : this.bringTogether()));
    const over = (): void => undefined;
    this.running = next.then(over, over);
    return next;
  }

  /** Resolves when the folder is left alone from now on. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async bringTogether(): Promise<void> {
    const inside = new Map<string, string>();
    this.walkInside('/', inside);
    const outside = new Map<string, string>();
    await mkdir(this.folder, { recursive: true });
    await this.walkOutside('/', outside);
    const paths = [...new Set([...inside.keys(), ...outside.keys(), ...this.known.keys()])].sort();
    const gone: string[] = [];
    for (const path of paths) {
      const known = this.known.get(path);
      const [here, there] = [inside.get(path), outside.get(path)];
      if (here !== known?.inside && here !== undefined) await this.copyOut(path, here, there);
      else if (there !== known?.outside && there !== undefined) await this.copyIn(path, there, here);
      else if (here === undefined || there === undefined) gone.push(path);
    }
    // Inner ones first: a folder must be empty before it goes.
    for (const path of gone.reverse()) await this.remove(path, inside.get(path), outside.get(path));
  }

  private async copyOut(path: string, here: string, there: string | undefined): Promise<void> {
    const target = join(this.folder, path);
    const node = nodeAt(this.files, path);
    if (node?.kind === 'directory') await mkdir(target, { recursive: true });
    else if (node?.kind === 'symlink') {
      if (there?.startsWith('directory')) await rm(target, { recursive: true });
      // In one step here too: what a volume's `..data` leads to is always there.
      const draft = `${this.folder}.draft`;
      await symlink(node.target.startsWith('/') ? join(this.folder, node.target) : node.target, draft);
      await rename(draft, target);
    } else if (node instanceof FileNode) {
      if (there?.startsWith('directory')) await rm(target, { recursive: true });
      // In one step: no program sees half of it.
      const draft = `${this.folder}.draft`;
      await writeFile(draft, node.bytes);
      await chmod(draft, node.mode | 0o200);
      await utimes(draft, node.modifiedAtMs / 1000, node.modifiedAtMs / 1000);
      await rename(draft, target);
    }
    this.known.set(path, { inside: here, outside: (await this.outsideState(path)) ?? '' });
  }

  private async copyIn(path: string, there: string, here: string | undefined): Promise<void> {
    try {
      if (there.startsWith('directory')) this.files.mkdir(path, { recursive: true });
      else if (there.startsWith('file')) {
        const stat = await lstat(join(this.folder, path));
        this.files.writeFile(path, await readFile(join(this.folder, path)), { mode: stat.mode & 0o777 });
      }
      this.known.set(path, { inside: insideState(this.files, path) ?? '', outside: there });
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      // A read-only mount: the volume is what it was.
      if (here === undefined) await rm(join(this.folder, path), { recursive: true, force: true });
      else await this.copyOut(path, here, there);
    }
  }

  /** What is there on one side only, as the other has removed it. */
  private async remove(path: string, here: string | undefined, there: string | undefined): Promise<void> {
    this.known.delete(path);
    if (there !== undefined) await rm(join(this.folder, path), { recursive: true, force: true });
    if (here === undefined) return;
    try {
      if (here.startsWith('directory')) this.files.rmdir(path);
      else this.files.unlink(path);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await this.copyOut(path, here, undefined);
    }
  }

  private walkInside(path: string, found: Map<string, string>): void {
    for (const name of this.files.readdir(path)) {
      const child = path === '/' ? `/${name}` : `${path}/${name}`;
      if (this.excluded.has(child)) continue;
      const state = insideState(this.files, child);
      if (state === undefined) continue;
      found.set(child, state);
      if (state === 'directory') this.walkInside(child, found);
    }
  }

  private async walkOutside(path: string, found: Map<string, string>): Promise<void> {
    for (const entry of await readdir(join(this.folder, path))) {
      const child = path === '/' ? `/${entry}` : `${path}/${entry}`;
      if (this.excluded.has(child)) continue;
      const state = await this.outsideState(child);
      if (state === undefined) continue;
      found.set(child, state);
      if (state === 'directory') await this.walkOutside(child, found);
    }
  }

  private async outsideState(path: string): Promise<string | undefined> {
    try {
      const stat = await lstat(join(this.folder, path));
      if (stat.isDirectory()) return 'directory';
      if (stat.isSymbolicLink()) return `symlink ${await readlink(join(this.folder, path))}`;
      return stat.isFile() ? `file ${stat.ino} ${stat.size} ${stat.mtimeMs}` : undefined;
    } catch (error) {
      // It went while we walked.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }
}

/** Undefined for what is no file of the container's: its programs, devices, what is made when it is read. */
function insideState(files: ContainerFiles, path: string): string | undefined {
  const node = nodeAt(files, path);
  switch (node?.kind) {
    case 'directory':
      return 'directory';
    case 'symlink':
      return `symlink ${node.target}`;
    case 'file':
      return node.program === undefined ? `file ${node.inode} ${node.changes} ${node.modifiedAtMs}` : undefined;
    default:
      return undefined;
  }
}

function nodeAt(files: ContainerFiles, path: string) {
  try {
    return files.linkNode(path);
  } catch (error) {
    if (error instanceof FileError) return undefined;
    throw error;
  }
}
