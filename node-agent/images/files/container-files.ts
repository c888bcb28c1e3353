/**
 * A container's file system: the image's shared layer, copied path by path as it is written to, and mounts that are shared
 * with other containers of the pod. Everything is in memory and synchronous. Paths given to it are absolute;
 * `resolvePath` makes them so. Errors are `FileError`s with Linux' codes.
 */

import { FileError } from './file-error.ts';
import { DirectoryNode, FileNode, type FileTreeNode, type GeneratedDirectory, SymlinkNode } from './file-node.ts';

export const MAX_SYMLINKS = 40;

export interface FileStat {
  readonly kind: 'file' | 'directory' | 'symlink' | 'device';
  readonly sizeBytes: number;
  /** Permission bits. */
  readonly mode: number;
  readonly modifiedAtMs: number;
  readonly inode: number;
}

export interface Mount {
  readonly path: string;
  readonly readOnly: boolean;
}

interface Place {
  readonly parent: DirectoryNode | GeneratedDirectory;
  readonly name: string;
  readonly node: FileTreeNode | undefined;
  readonly readOnly: boolean;
  /** Canonical path. */
  readonly path: string;
}

/** An absolute path without `.`, `..` and doubled slashes. */
export function resolvePath(cwd: string, path: string): string {
  const names: string[] = [];
  for (const name of (path.startsWith('/') ? path : `${cwd}/${path}`).split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return `/${names.join('/')}`;
}

export class ContainerFiles {
  readonly mounts: Mount[] = [];
  private readonly root: DirectoryNode;

  constructor(layer: DirectoryNode) {
    this.root = layer.copy();
  }

  /** For who sees this container's processes: read only. */
  get rootView(): DirectoryNode {
    const view = new DirectoryNode(this.root.entries, { mode: this.root.mode });
    view.readOnly = true;
    return view;
  }

  /** Puts a tree (a volume, `/proc`) or one file in the place of whatever is at `path`; parents are made. */
  mount(path: string, node: FileTreeNode, options: { readonly readOnly?: boolean } = {}): void {
    const slash = path.lastIndexOf('/');
    const parentPath = path.slice(0, slash) || '/';
    this.mkdir(parentPath, { recursive: true });
    const readOnly = options.readOnly ?? false;
    let mounted = node;
    if (readOnly && node instanceof DirectoryNode) {
      // A view of the same entries: another container may have the volume writable.
      const view = new DirectoryNode(node.entries, { mode: node.mode });
      view.readOnly = true;
      mounted = view;
    }
    this.ownDirectory(parentPath).set(path.slice(slash + 1), mounted);
    this.mounts.push({ path, readOnly });
  }

  stat(path: string): FileStat {
    return statOf(this.require(path));
  }

  lstat(path: string): FileStat {
    return statOf(this.require(path, false));
  }

  exists(path: string): boolean {
    try {
      this.require(path);
      return true;
    } catch (error) {
      if (error instanceof FileError) return false;
      throw error;
    }
  }

  /** The node itself, for whoever opens it; throws ENOENT, ENOTDIR, ELOOP. */
  node(path: string): FileTreeNode {
    return this.require(path);
  }

  /** The same without following a link that is the path's last name. */
  linkNode(path: string): FileTreeNode {
    return this.require(path, false);
  }

  canonical(path: string): string {
    const place = this.walk(path, true);
    if (place.node === undefined) throw new FileError('ENOENT', path);
    return place.path;
  }

  readBytes(path: string): Uint8Array {
    const node = this.require(path);
    switch (node.kind) {
      case 'file':
        return node.bytes;
      case 'generated':
        return new TextEncoder().encode(node.read());
      case 'directory':
        throw new FileError('EISDIR', path);
      default:
        return new Uint8Array(0);
    }
  }

  readText(path: string): string {
    return new TextDecoder().decode(this.readBytes(path));
  }

  writeFile(path: string, content: string | Uint8Array, options: { readonly mode?: number } = {}): void {
    const file = this.fileForWriting(path, options.mode);
    file.truncate();
    file.write(0, typeof content === 'string' ? new TextEncoder().encode(content) : content);
  }

  /** The file at the path, made when absent, and safe to write to; throws EISDIR, EROFS, ENOENT of the parent, ENXIO for devices. */
  fileForWriting(path: string, mode = 0o644): FileNode {
    const place = this.walk(path, true);
    if (place.node instanceof FileNode && !place.node.shared && !place.readOnly) return place.node;
    if (place.node?.kind === 'directory') throw new FileError('EISDIR', path);
    if (place.readOnly) throw new FileError('EROFS', path);
    if (place.node !== undefined && place.node.kind !== 'file') throw new FileError('EACCES', path);
    const file = place.node instanceof FileNode ? place.node.copy() : new FileNode(new Uint8Array(0), { mode });
    this.ownParent(place).set(place.name, file);
    return file;
  }

  readdir(path: string): string[] {
    const node = this.require(path);
    if (node.kind !== 'directory') throw new FileError('ENOTDIR', path);
    return node.names().sort();
  }

  mkdir(path: string, options: { readonly recursive?: boolean; readonly mode?: number } = {}): void {
    const place = this.walk(path, true, options.recursive);
    if (place.node !== undefined) {
      if (options.recursive && place.node.kind === 'directory') return;
      throw new FileError('EEXIST', path);
    }
    if (place.readOnly) throw new FileError('EROFS', path);
    this.ownParent(place).set(place.name, new DirectoryNode(new Map(), { mode: options.mode }));
  }

  unlink(path: string): void {
    const place = this.existing(path);
    if (place.node?.kind === 'directory') throw new FileError('EISDIR', path);
    this.ownParent(place).delete(place.name);
  }

  rmdir(path: string): void {
    const place = this.existing(path);
    if (place.node?.kind !== 'directory') throw new FileError('ENOTDIR', path);
    if (place.node.names().length > 0) throw new FileError('ENOTEMPTY', path);
    this.ownParent(place).delete(place.name);
  }

  rename(from: string, to: string): void {
    const source = this.existing(from);
    const node = source.node;
    if (node === undefined) throw new FileError('ENOENT', from);
    const target = this.walk(to, false);
    if (target.readOnly) throw new FileError('EROFS', to);
    if (target.path === source.path) return;
    if (target.path.startsWith(`${source.path}/`)) throw new FileError('EINVAL', to);
    if (target.node?.kind === 'directory') {
      if (node.kind !== 'directory') throw new FileError('EISDIR', to);
      if (target.node.names().length > 0) throw new FileError('ENOTEMPTY', to);
    }
    this.ownParent(source).delete(source.name);
    this.ownParent(target).set(target.name, node);
  }

  symlink(target: string, path: string): void {
    this.create(path, new SymlinkNode(target));
  }

  /** A second name for the same file. */
  link(existing: string, path: string): void {
    this.create(path, this.fileForWriting(existing));
  }

  readlink(path: string): string {
    const node = this.require(path, false);
    if (node.kind !== 'symlink') throw new FileError('EINVAL', path);
    return node.target;
  }

  chmod(path: string, mode: number): void {
    const node = this.require(path);
    if (node.kind === 'file') this.fileForWriting(path).mode = mode;
    else if (node instanceof DirectoryNode) this.ownDirectory(path).mode = mode;
    else throw new FileError('EPERM', path);
  }

  touch(path: string, modifiedAtMs: number): void {
    const node = this.exists(path) ? this.require(path) : undefined;
    if (node instanceof DirectoryNode) this.ownDirectory(path).modifiedAtMs = modifiedAtMs;
    else this.fileForWriting(path).modifiedAtMs = modifiedAtMs;
  }

  private create(path: string, node: FileTreeNode): void {
    const place = this.walk(path, false);
    if (place.node !== undefined) throw new FileError('EEXIST', path);
    if (place.readOnly) throw new FileError('EROFS', path);
    this.ownParent(place).set(place.name, node);
  }

  private existing(path: string): Place {
    const place = this.walk(path, false);
    if (place.node === undefined) throw new FileError('ENOENT', path);
    if (place.readOnly) throw new FileError('EROFS', path);
    if (place.path === '/') throw new FileError('EBUSY', path);
    return place;
  }

  private require(path: string, followLast = true): FileTreeNode {
    const place = this.walk(path, followLast);
    if (place.node === undefined) throw new FileError('ENOENT', path);
    return place.node;
  }

  /** Walks to a path; the last name may be absent. `makeParents` makes absent directories on the way. */
  private walk(path: string, followLast: boolean, makeParents = false): Place {
    let remaining = path.split('/').filter((name) => name !== '' && name !== '.');
    let links = 0;
    let walked: string[] = [];
    let stack: (DirectoryNode | GeneratedDirectory)[] = [this.root];
    while (remaining.length > 0) {
      const name = remaining.shift() ?? '';
      if (name === '..') {
        walked.pop();
        if (stack.length > 1) stack.pop();
        continue;
      }
      const directory = stack.at(-1) ?? this.root;
      const node = directory.lookup(name);
      const isLast = remaining.length === 0;
      if (node?.kind === 'symlink' && (!isLast || followLast)) {
        if (++links > MAX_SYMLINKS) throw new FileError('ELOOP', path);
        if (node.directory !== undefined) {
          walked.push(name);
          stack.push(node.directory);
          continue;
        }
        const target = node.target.split('/').filter((part) => part !== '' && part !== '.');
        if (node.target.startsWith('/')) {
          walked = [];
          stack = [this.root];
        }
        remaining = [...target, ...remaining];
        continue;
      }
      if (isLast) {
        const readOnly = stack.some((entry) => entry.readOnly);
        const canonical = `/${[...walked, name].join('/')}`;
        return { parent: directory, name, node, readOnly, path: canonical };
      }
      if (node === undefined && makeParents) {
        this.mkdir(`/${[...walked, name].join('/')}`);
        remaining.unshift(name);
        stack = this.directories(walked);
        continue;
      }
      if (node === undefined) throw new FileError('ENOENT', path);
      if (node.kind !== 'directory') throw new FileError('ENOTDIR', path);
      walked.push(name);
      stack.push(node);
    }
    const node = stack.at(-1) ?? this.root;
    const parent = stack.at(-2) ?? this.root;
    return {
      parent,
      name: walked.at(-1) ?? '',
      node,
      readOnly: stack.some((entry) => entry.readOnly),
      path: `/${walked.join('/')}`,
    };
  }

  private directories(names: readonly string[]): (DirectoryNode | GeneratedDirectory)[] {
    const stack: (DirectoryNode | GeneratedDirectory)[] = [this.root];
    for (const name of names) {
      const next = stack.at(-1)?.lookup(name);
      if (next?.kind !== 'directory') throw new FileError('ENOTDIR', name);
      stack.push(next);
    }
    return stack;
  }

  private ownParent(place: Place): DirectoryNode {
    return this.ownDirectory(place.path.slice(0, place.path.lastIndexOf('/')) || '/');
  }

  /** The directory at a canonical path, no longer the layer's but this container's own. */
  private ownDirectory(path: string): DirectoryNode {
    let directory = this.root;
    for (const name of this.canonical(path).split('/')) {
      if (name === '') continue;
      const next = directory.entries.get(name);
      if (!(next instanceof DirectoryNode)) throw new FileError('EROFS', path);
      const own = next.shared ? next.copy() : next;
      if (own !== next) directory.entries.set(name, own);
      directory = own;
    }
    return directory;
  }
}

function statOf(node: FileTreeNode): FileStat {
  const { mode, modifiedAtMs, inode } = node;
  switch (node.kind) {
    case 'file':
      return { kind: 'file', sizeBytes: node.sizeBytes, mode, modifiedAtMs, inode };
    case 'generated':
      return { kind: 'file', sizeBytes: 0, mode, modifiedAtMs, inode };
    case 'directory':
      return { kind: 'directory', sizeBytes: 4096, mode, modifiedAtMs, inode };
    case 'symlink':
      return { kind: 'symlink', sizeBytes: node.target.length, mode, modifiedAtMs, inode };
    case 'device':
      return { kind: 'device', sizeBytes: 0, mode, modifiedAtMs, inode };
  }
}
