/** The read-only file tree of an image, built once and shared by all of its containers. */
import { DirectoryNode, FileNode, type FileTreeNode, SymlinkNode } from './file-node.ts';

export interface LayerOptions {
  /** Absolute path -> content. */
  readonly files: Readonly<Record<string, string>>;
  /** Names of the image's programs; each becomes an executable in /usr/bin, absolute names stand where they say. */
  readonly programs: readonly string[];
}

const DIRECTORIES = [
  '/dev',
  '/etc',
  '/home',
  '/mnt',
  '/opt',
  '/proc',
  '/root',
  '/run',
  '/srv',
  '/sys',
  '/tmp',
  '/usr/bin',
  '/usr/lib',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/share',
  '/var/cache',
  '/var/lib',
  '/var/log',
  '/var/tmp',
  '/var/www',
];
const LINKS: Readonly<Record<string, string>> = {
  '/bin': 'usr/bin',
  '/sbin': 'usr/bin',
  '/var/run': '../run',
  '/etc/mtab': '/proc/mounts',
};
const ETC: Readonly<Record<string, string>> = {
  '/etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n',
  '/etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  '/etc/nsswitch.conf': 'hosts: files dns\n',
  '/etc/services': 'ssh\t22/tcp\ndomain\t53/tcp\ndomain\t53/udp\nhttp\t80/tcp\nhttps\t443/tcp\n',
};
const PROGRAM_BYTES = new TextEncoder().encode('\x7fELF\x02\x01\x01');

export function buildLayer(options: LayerOptions): DirectoryNode {
  const root = new DirectoryNode(new Map(), { shared: true });
  for (const path of DIRECTORIES) directoryAt(root, path);
  for (const path of ['/tmp', '/var/tmp']) directoryAt(root, path).mode = 0o1777;
  directoryAt(root, '/root').mode = 0o700;
  for (const [path, target] of Object.entries(LINKS)) place(root, path, new SymlinkNode(target));
  for (const [path, text] of Object.entries({ ...ETC, ...options.files })) {
    place(
      root,
      path,
      new FileNode(new TextEncoder().encode(text), { shared: true, mode: text.startsWith('#!') ? 0o755 : 0o644 }),
    );
  }
  for (const name of options.programs) {
    const path = name.startsWith('/') ? name : `/usr/bin/${name}`;
    place(root, path, new FileNode(PROGRAM_BYTES, { mode: 0o755, program: name, shared: true }));
  }
  return root;
}

function place(root: DirectoryNode, path: string, node: FileTreeNode): void {
  const slash = path.lastIndexOf('/');
  directoryAt(root, path.slice(0, slash)).entries.set(path.slice(slash + 1), node);
}

function directoryAt(root: DirectoryNode, path: string): DirectoryNode {
  let directory = root;
  for (const name of path.split('/')) {
    if (name === '') continue;
    let next = directory.entries.get(name);
    if (next === undefined || !(next instanceof DirectoryNode)) {
      next = new DirectoryNode(new Map(), { shared: true });
      directory.entries.set(name, next);
    }
    directory = next;
  }
  return directory;
}
