/** What a container's file tree is made of. Nodes of an image layer are shared by all of its containers and never changed. */

export type FileTreeNode = FileNode | DirectoryNode | GeneratedDirectory | SymlinkNode | DeviceNode | GeneratedFile;

let lastInode = 1;

/** A regular file; `bytes` grows by doubling, so that a log file costs no copy for each line. */
export class FileNode {
  readonly kind = 'file';
  readonly inode = ++lastInode;
  mode: number;
  modifiedAtMs: number;
  /** How often the bytes changed: of two changes within a millisecond the clock tells one. */
  changes = 0;
  /** The program that runs when the file is executed, by its name in the image; copies keep it. */
  program: string | undefined;
  /** Part of an image layer: copied before it is written. */
  readonly shared: boolean;
  private buffer: Uint8Array;
  private length: number;
  /** False while `buffer` is what the maker of the node gave: copied before the first write. */
  private owned = false;
  private watchers: Set<() => void> | undefined;

  constructor(
    bytes: Uint8Array,
    options: { mode?: number; program?: string; shared?: boolean; modifiedAtMs?: number } = {},
  ) {
    this.buffer = bytes;
    this.length = bytes.length;
    this.mode = options.mode ?? 0o644;
    this.program = options.program;
    this.shared = options.shared ?? false;
    this.modifiedAtMs = options.modifiedAtMs ?? Date.now();
  }

  get bytes(): Uint8Array {
    return this.buffer.subarray(0, this.length);
  }

  get sizeBytes(): number {
    return this.length;
  }

  truncate(length = 0): void {
    if (length > this.length) {
      this.reserve(length);
      this.buffer.fill(0, this.length, length);
    }
    this.length = length;
    this.changed();
  }

  /** Writes at `offset`; a gap is filled with zeros. */
  write(offset: number, bytes: Uint8Array): void {
    const end = offset + bytes.length;
    this.reserve(end);
    if (offset > this.length) this.buffer.fill(0, this.length, offset);
    this.buffer.set(bytes, offset);
    this.length = Math.max(this.length, end);
    this.changed();
  }

  /** Calls `changed` after every write until the returned function is called. */
  watch(changed: () => void): () => void {
    this.watchers ??= new Set();
    this.watchers.add(changed);
    return () => this.watchers?.delete(changed);
  }

  copy(): FileNode {
    return new FileNode(this.bytes, { mode: this.mode, program: this.program });
  }

  private reserve(length: number): void {
    if (length <= this.buffer.length && this.owned) return;
    const grown = new Uint8Array(Math.max(length, Math.min(this.buffer.length * 2, length + (1 << 20))));
    grown.set(this.bytes);
    this.buffer = grown;
    this.owned = true;
  }

  private changed(): void {
    this.changes++;
    this.modifiedAtMs = Date.now();
    if (this.watchers !== undefined) for (const watcher of [...this.watchers]) watcher();
  }
}

export class DirectoryNode {
  readonly kind = 'directory';
  readonly inode = ++lastInode;
  readonly entries: Map<string, FileTreeNode>;
  mode: number;
  modifiedAtMs = Date.now();
  readonly shared: boolean;
  /** A read-only mount starts here. */
  readOnly = false;
  private watchers: Set<() => void> | undefined;

  constructor(entries: Map<string, FileTreeNode> = new Map(), options: { mode?: number; shared?: boolean } = {}) {
    this.entries = entries;
    this.mode = options.mode ?? 0o755;
    this.shared = options.shared ?? false;
  }

  lookup(name: string): FileTreeNode | undefined {
    return this.entries.get(name);
  }

  names(): string[] {
    return [...this.entries.keys()];
  }

  set(name: string, node: FileTreeNode): void {
    this.entries.set(name, node);
    this.changed();
  }

  delete(name: string): void {
    this.entries.delete(name);
    this.changed();
  }

  /** Calls `changed` when a name comes or goes, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.watchers ??= new Set();
    this.watchers.add(changed);
    return () => this.watchers?.delete(changed);
  }

  /** A directory of its own with the same entries: what a container writes into instead of the layer's. */
  copy(): DirectoryNode {
    return new DirectoryNode(new Map(this.entries), { mode: this.mode });
  }

  private changed(): void {
    this.modifiedAtMs = Date.now();
    if (this.watchers !== undefined) for (const watcher of [...this.watchers]) watcher();
  }
}

/** A directory whose entries are made when asked for: `/proc`. */
export class GeneratedDirectory {
  readonly kind = 'directory';
  readonly inode = ++lastInode;
  readonly mode = 0o555;
  readonly modifiedAtMs = Date.now();
  readonly readOnly = true;
  readonly shared = false;
  readonly lookup: (name: string) => FileTreeNode | undefined;
  readonly names: () => string[];

  constructor(names: () => string[], lookup: (name: string) => FileTreeNode | undefined) {
    this.names = names;
    this.lookup = lookup;
  }
}

/** A file whose text is made when it is read: `/proc/net/tcp`. */
export class GeneratedFile {
  readonly kind = 'generated';
  readonly inode = ++lastInode;
  readonly mode = 0o444;
  readonly modifiedAtMs = Date.now();
  readonly read: () => string;

  constructor(read: () => string) {
    this.read = read;
  }
}

export class SymlinkNode {
  readonly kind = 'symlink';
  readonly inode = ++lastInode;
  readonly mode = 0o777;
  readonly modifiedAtMs = Date.now();
  readonly target: string;
  /** Of a link that the kernel made (`/proc/PID/root`): where it leads, whatever its text says. */
  readonly directory: DirectoryNode | undefined;

  constructor(target: string, directory?: DirectoryNode) {
    this.target = target;
    this.directory = directory;
  }
}

/**
 * `/dev/null` and its kin; `stdin`, `stdout`, `stderr` and `tty` stand for what the opening process has there,
 * `log-stdout` and `log-stderr` for the container's log (`/proc/1/fd/1`).
 */
export type DeviceName =
  | 'null'
  | 'zero'
  | 'full'
  | 'random'
  | 'urandom'
  | 'tty'
  | 'stdin'
  | 'stdout'
  | 'stderr'
  | 'log-stdout'
  | 'log-stderr';

export class DeviceNode {
  readonly kind = 'device';
  readonly inode = ++lastInode;
  readonly mode = 0o666;
  readonly modifiedAtMs = Date.now();
  readonly device: DeviceName;

  constructor(device: DeviceName) {
    this.device = device;
  }
}
