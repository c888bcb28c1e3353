/**
 * The handler of the RuntimeClass `netns`: a pod's network namespace is the kernel's, and any program of the machine runs in
 * it. Linux, root, and only where the cluster was started with `--allow-netns`, as those programs run as root.
 */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import type { PodNetwork } from '../../shared/podnet/pod-network.ts';
import type { PacketMemory } from '../../shared/wire/packet-memory.ts';
import type { EventLoop } from '../io/event-loop.ts';
import type { PodSandbox } from '../pods/container-runtime.ts';
import type { RuntimeHandler } from '../pods/runtime-class.ts';
import type { CreatedSandbox } from '../pods/sandbox.ts';
import { NetnsRuntime } from './netns-runtime.ts';
import { createNetworkNamespace, removeNamespace } from './network-namespace.ts';
import { VolumeFolders } from './volume-folders.ts';

export interface NetnsHandlerOptions {
  readonly cluster: string;
  readonly allowed: boolean;
  /** Holds a folder for every namespace of this node, by its name: what an earlier run left is known by them. */
  readonly folder: string;
  readonly memory: PacketMemory;
  readonly loop: EventLoop;
  /** The node's own sockets: what is forwarded to a pod's port comes from there. */
  readonly nodeNetwork: PodNetwork;
}

export class NetnsHandler implements RuntimeHandler {
  private readonly options: NetnsHandlerOptions;

  constructor(options: NetnsHandlerOptions) {
    this.options = options;
  }

  /** Removes what a run of this node left that was killed. */
  async collectGarbage(): Promise<void> {
    const { folder } = this.options;
    await mkdir(folder, { recursive: true });
    for (const name of await readdir(folder)) {
      await removeNamespace(name);
      await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  async complete(pod: Pod, sandbox: PodSandbox): Promise<CreatedSandbox> {
    this.checkAllowed(pod);
    const { cluster, memory, loop, nodeNetwork } = this.options;
    const name = `podwire-${cluster}-${sandbox.namespace}-${sandbox.podName}-${sandbox.podUid.slice(0, 5)}`;
    const folder = join(this.options.folder, name);
    const etcFiles = { hosts: sandbox.hostsFile, 'resolv.conf': sandbox.resolvConf };
    await writeFiles(join(folder, 'etc'), { ...etcFiles, hostname: `${sandbox.hostname}\n` });
    const removeFolder = (): Promise<void> => rm(folder, { recursive: true, force: true });
    try {
      const sysctls = pod.spec?.securityContext?.sysctls ?? [];
      const namespace = await createNetworkNamespace({ name, host: sandbox.host, memory, loop, etcFiles, sysctls });
      const volumes = new VolumeFolders(join(folder, 'volumes'));
      return {
        sandbox: {
          ...sandbox,
          network: throughNode(nodeNetwork, sandbox.podIp),
          runtime: new NetnsRuntime({ namespacePath: namespace.path, folder, volumes }),
          refreshVolumes: () => volumes.refresh(),
        },
        destroy: async () => {
          await namespace.destroy();
          await removeFolder();
        },
      };
    } catch (error) {
      await removeFolder();
      throw error;
    }
  }

  private checkAllowed(pod: Pod): void {
    if (!this.options.allowed) {
      throw new Error(
        'RuntimeClass netns runs programs of this machine as root, which this cluster does not allow: start it with podwire up --allow-netns',
      );
    }
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      throw new Error(`RuntimeClass netns needs Linux and root, and this node runs as uid ${process.getuid?.()}`);
    }
    if (pod.spec?.hostNetwork) {
      throw new Error('RuntimeClass netns gives a pod a network namespace of its own: it cannot have hostNetwork too');
    }
  }
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(folder, file), text)));
}

/** Port-forward's way into the pod: there is no stack of ours in it, so what is for its loopback goes to its address. */
function throughNode(nodeNetwork: PodNetwork, podIp: string): PodNetwork {
  return {
    connectTcp: (options, signal) => nodeNetwork.connectTcp({ ...options, host: podIp }, signal),
    listenTcp: (options) => nodeNetwork.listenTcp(options),
    bindUdp: (options) => nodeNetwork.bindUdp(options),
    ping: (options, signal) => nodeNetwork.ping(options, signal),
    addresses: async () => [{ device: 'eth0', address: podIp, prefixLength: 32 }],
    close: () => undefined,
  };
}
