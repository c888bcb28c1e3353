/**
 * A pod's network namespace in the kernel, joined to the emulated bridge by a TAP device. Set up in order; what was set up is
 * undone in reverse when a later step fails, and in the end.
 *
 *   ip netns add -> /etc/netns/NAME -> TAP in the place of the emulated stack -> moved in as eth0 -> addresses, routes
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from '../../shared/netstack/host.ts';
import type { PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { EventLoop } from '../io/event-loop.ts';
import { Tap } from '../io/tap.ts';
import { runHostProgram } from './host-program.ts';
import { addressingLines } from './namespace-addressing.ts';

/** Where `ip netns exec` finds the files that it puts over those in /etc. */
const ETC_NETNS = '/etc/netns';

export interface NamespaceOptions {
  readonly name: string;
  /** The emulated namespace as the CNI made it; its eth0 becomes the kernel's. */
  readonly host: Host;
  readonly memory: PacketMemory;
  readonly loop: EventLoop;
  /** `hosts` and `resolv.conf`. */
  readonly etcFiles: Readonly<Record<string, string>>;
  readonly sysctls: readonly { readonly name: string; readonly value: string }[];
}

export interface NetworkNamespace {
  readonly name: string;
  /** What enters it: `nsenter --net=PATH`. */
  readonly path: string;
  readonly tap: Tap;
  destroy(): Promise<void>;
}

export async function createNetworkNamespace(options: NamespaceOptions): Promise<NetworkNamespace> {
  const { name, host, memory, loop } = options;
  const undo: (() => Promise<void>)[] = [];
  const destroy = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    undo.push(() => removeNamespace(name));
    await runHostProgram('ip', ['netns', 'add', name]);
    await writeEtcFiles(name, options.etcFiles);
    const device = host.deviceByName('eth0');
    if (device === undefined) throw new Error(`the pod of ${name} has no eth0`);
    const lines = addressingLines(host, device);
    loop.run(() => host.removeDevice(device));
    const tap = await Tap.open({ memory, loop, device });
    undo.push(async () => tap.close());
    await runHostProgram('ip', ['link', 'set', tap.name, 'netns', name, 'name', device.name]);
    await runHostProgram('ip', ['-n', name, '-batch', '-'], `${lines.join('\n')}\n`);
    await setSysctls(name, options.sysctls);
    return { name, path: namespacePath(name), tap, destroy };
  } catch (error) {
    await destroy();
    throw error;
  }
}

/** A namespace of this name and what stands beside it, of an earlier run too; nothing when there is none. */
export async function removeNamespace(name: string): Promise<void> {
  const present = await runHostProgram('ip', ['netns', 'list']);
  const names = present.split('\n').map((line) => line.split(' ')[0]);
  if (names.includes(name)) await runHostProgram('ip', ['netns', 'delete', name]);
  await rm(join(ETC_NETNS, name), { recursive: true, force: true });
}

function namespacePath(name: string): string {
  return join('/run/netns', name);
}

async function writeEtcFiles(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folder = join(ETC_NETNS, name);
  await mkdir(folder, { recursive: true });
  await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(folder, file), text)));
}

async function setSysctls(name: string, sysctls: NamespaceOptions['sysctls']): Promise<void> {
  for (const { name: key, value } of sysctls) {
    await runHostProgram('ip', ['netns', 'exec', name, 'sysctl', '-qw', `${key}=${value}`]);
  }
}
