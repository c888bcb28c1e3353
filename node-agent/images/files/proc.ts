/** `/proc` as far as people and scripts look into it: processes, `net/`, `sys/`, a few figures of the machine. */
import type { ContainerView } from '../image.ts';
import type { Process } from '../process.ts';
import { DeviceNode, type FileTreeNode, GeneratedDirectory, GeneratedFile, SymlinkNode } from './file-node.ts';

const NET_FILES = ['arp', 'dev', 'route', 'tcp', 'udp', 'tcp6', 'udp6', 'snmp', 'netstat', 'sockstat', 'if_inet6'];

export function procDirectory(container: ContainerView): GeneratedDirectory {
  const fixed: Record<string, () => FileTreeNode> = {
    cpuinfo: () => new GeneratedFile(() => 'processor\t: 0\nmodel name\t: podwire\n\n'),
    loadavg: () => new GeneratedFile(() => '0.00 0.00 0.00 1/1 1\n'),
    meminfo: () =>
      new GeneratedFile(
        () => 'MemTotal:        2097152 kB\nMemFree:         1048576 kB\nMemAvailable:    1048576 kB\n',
      ),
    mounts: () => new GeneratedFile(() => mountTable(container)),
    net: () => netDirectory(container),
    self: () => selfDirectory(),
    sys: () => sysDirectory(container),
    uptime: () => new GeneratedFile(() => `${uptimeSeconds(container).toFixed(2)} 0.00\n`),
    version: () => new GeneratedFile(() => 'Linux version 6.1.0-podwire (podwire) #1 SMP\n'),
  };
  const lookup = (name: string): FileTreeNode | undefined => {
    if (Object.hasOwn(fixed, name)) return fixed[name]?.();
    const process = container.processes.get(Number(name));
    return process === undefined ? undefined : processDirectory(container, process);
  };
  const names = (): string[] => [
    ...Object.keys(fixed),
    ...container.processes.list().map((process) => String(process.pid)),
  ];
  return new GeneratedDirectory(names, lookup);
}

function directoryOf(entries: Record<string, () => FileTreeNode>): GeneratedDirectory {
  return new GeneratedDirectory(
    () => Object.keys(entries),
    (name) => (Object.hasOwn(entries, name) ? entries[name]?.() : undefined),
  );
}

function processDirectory(container: ContainerView, process: Process): GeneratedDirectory {
  const command = process.argv[0]?.split('/').at(-1) ?? '';
  const isMain = process === process.pidNamespace.main;
  const isOwn = process.pidNamespace === container.processes;
  return directoryOf({
    cmdline: () => new GeneratedFile(() => process.argv.map((word) => `${word}\0`).join('')),
    comm: () => new GeneratedFile(() => `${command}\n`),
    fd: () =>
      directoryOf({
        '0': () => new DeviceNode('stdin'),
        '1': () => new DeviceNode(isMain ? 'log-stdout' : 'stdout'),
        '2': () => new DeviceNode(isMain ? 'log-stderr' : 'stderr'),
      }),
    mounts: () => new GeneratedFile(() => mountTable(container)),
    net: () => netDirectory(container),
    root: () => new SymlinkNode('/', isOwn ? undefined : process.pidNamespace.files?.rootView),
    stat: () =>
      new GeneratedFile(
        () => `${process.pid} (${command}) S ${process.parentPid} ${process.group} ${process.group} 0 -1\n`,
      ),
    status: () =>
      new GeneratedFile(
        () =>
          `Name:\t${command}\nState:\tS (sleeping)\nPid:\t${process.pid}\nPPid:\t${process.parentPid}\nUid:\t0\t0\t0\t0\n`,
      ),
  });
}

/** Whoever opens it: only its descriptors can be known without knowing who that is. */
function selfDirectory(): GeneratedDirectory {
  return directoryOf({
    fd: () =>
      directoryOf({
        '0': () => new DeviceNode('stdin'),
        '1': () => new DeviceNode('stdout'),
        '2': () => new DeviceNode('stderr'),
      }),
  });
}

function netDirectory(container: ContainerView): GeneratedDirectory {
  // The node's stack writes these tables itself, in the kernel's columns.
  const read = (name: string) => (): string => container.kernel?.run(['cat', `/proc/net/${name}`]).stdout ?? '';
  return new GeneratedDirectory(
    () => NET_FILES,
    (name) => (NET_FILES.includes(name) ? new GeneratedFile(read(name)) : undefined),
  );
}

function sysDirectory(container: ContainerView): GeneratedDirectory {
  const text = (value: string) => (): FileTreeNode => new GeneratedFile(() => `${value}\n`);
  return directoryOf({
    kernel: () =>
      directoryOf({ hostname: text(container.hostname), osrelease: text('6.1.0-podwire'), ostype: text('Linux') }),
    net: () => sysctlDirectory(container, 'net.'),
  });
}

/** The namespace's parameters whose names begin with `prefix`; each dot is a directory. */
function sysctlDirectory(container: ContainerView, prefix: string): GeneratedDirectory {
  const sysctl = (...words: string[]): string => container.kernel?.run(['sysctl', ...words]).stdout ?? '';
  const below = (): string[] =>
    sysctl('-aN')
      .split('\n')
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  return new GeneratedDirectory(
    () => [...new Set(below().map((rest) => rest.split('.')[0] ?? rest))],
    (name) => {
      const rest = below();
      if (rest.includes(name)) return new GeneratedFile(() => sysctl('-n', `${prefix}${name}`));
      const isDirectory = rest.some((path) => path.startsWith(`${name}.`));
      return isDirectory ? sysctlDirectory(container, `${prefix}${name}.`) : undefined;
    },
  );
}

function mountTable(container: ContainerView): string {
  const rows = container.files.mounts.map(({ path, readOnly }) => {
    const kind = path === '/proc' ? 'proc' : path === '/dev' ? 'tmpfs' : 'ext4';
    return `${kind === 'ext4' ? '/dev/vda1' : kind} ${path} ${kind} ${readOnly ? 'ro' : 'rw'},relatime 0 0\n`;
  });
  return `overlay / overlay rw,relatime 0 0\n${rows.join('')}`;
}

function uptimeSeconds(container: ContainerView): number {
  const first = container.processes.main;
  return first === undefined ? 0 : (Date.now() - first.startedAtMs) / 1000;
}
