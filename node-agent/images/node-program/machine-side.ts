/** What the Node programs of one container share on the machine: its files as a folder, and the socket of its pod's network. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PodNetwork } from '../../../shared/podnet/pod-network.ts';
import { networkOwnedBy } from '../../../shared/podnet/socket-owner.ts';
import { socketPath } from '../../../shared/podnet/socket-path.ts';
import { servePodNetwork } from '../../../shared/podnet/socket-server.ts';
import type { ContainerView } from '../image.ts';
import type { Process, ProcessTable } from '../process.ts';
import { FolderMirror } from './folder-mirror.ts';
import { isolation } from './isolation.ts';
import type { MappedFolder, PodInterface, ProgramPlan } from './program-plan.ts';

const SYNC_EVERY_MS = 200;
/** Walking the files takes at most this part of the time. */
const SYNC_SHARE = 1 / 20;

export interface MachineSide {
  /** Opens the pod's network for a process; the file to be required by it before its program. */
  openFor(process: Process): Promise<string>;
  /** The container's path as the machine's. */
  realPath(path: string): string;
  /** Brings files together from now on, until the returned function has done so for the last time. */
  follow(): Promise<() => Promise<void>>;
}

/** By what the views of all of a container's processes have in common. */
const sides = new WeakMap<ProcessTable, Promise<MachineSide>>();

/** Made with the container's first Node program, removed with the container. */
export function machineSideOf(container: ContainerView, folder: string): Promise<MachineSide> {
  let side = sides.get(container.processes);
  if (side === undefined) {
    side = createSide(container, folder);
    sides.set(container.processes, side);
  }
  return side;
}

async function createSide(container: ContainerView, folder: string): Promise<MachineSide> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const mirror = new FolderMirror(
    container.files,
    join(folder, 'root'),
    container.machineFolders.map((mapped) => mapped.path),
  );
  const folders: MappedFolder[] = [{ path: '/', real: mirror.folder }, ...container.machineFolders];
  const plan = {
    hostname: container.hostname,
    interfaces: await interfacesOf(container),
    folders,
    isolated: (await isolation()).isolated,
  };
  void container.processes.main?.exited.then(async () => {
    await mirror.stop();
    // A program that is being killed may still write there.
    await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  });
  const inner = [...folders].sort((a, b) => b.path.length - a.path.length);
  return {
    openFor: (process) => openFor(process, container.network, folder, plan),
    realPath: (wanted) => {
      const mapped = inner.find(
        (candidate) => wanted === candidate.path || wanted.startsWith(withSlash(candidate.path)),
      );
      return mapped === undefined ? wanted : join(mapped.real, wanted.slice(mapped.path.length));
    },
    follow: () => follow(mirror, (error) => tell(container, error)),
  };
}

/** Each process has a socket of its own, so that what it opens is known to be its. */
async function openFor(
  process: Process,
  network: PodNetwork,
  folder: string,
  plan: Omit<ProgramPlan, 'socketPath' | 'preloadPath'>,
): Promise<string> {
  const path = await socketPath(folder, `pod-${process.pid}`);
  const server = await servePodNetwork({ network: networkOwnedBy(process, network), path });
  const preloadPath = join(folder, `preload-${process.pid}.cjs`);
  const whole: ProgramPlan = { ...plan, socketPath: path, preloadPath };
  void process.exited.then(async () => {
    await server.close();
    await rm(path, { force: true });
    await rm(preloadPath, { force: true });
  });
  await writeFile(preloadPath, `require(${JSON.stringify(insideEntry())}).enterPod(${JSON.stringify(whole)});\n`);
  return preloadPath;
}

/** A full disk is the container's trouble: who reads its log learns of it. */
function tell(container: ContainerView, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  container.logWriter('stderr').write(`podwire: the container's files and the program's differ: ${message}\n`);
}

async function follow(mirror: FolderMirror, failed: (error: unknown) => void): Promise<() => Promise<void>> {
  await mirror.sync();
  let over = false;
  let timer: NodeJS.Timeout | undefined;
  const again = (afterMs: number): void => {
    timer = setTimeout(async () => {
      const startedMs = performance.now();
      await mirror.sync().catch(failed);
      if (!over) again(Math.max(SYNC_EVERY_MS, (performance.now() - startedMs) / SYNC_SHARE));
    }, afterMs);
    timer.unref();
  };
  again(SYNC_EVERY_MS);
  return async () => {
    over = true;
    clearTimeout(timer);
    await mirror.sync().catch(failed);
  };
}

/** With the MAC addresses that `ip link` shows. */
async function interfacesOf(container: ContainerView): Promise<PodInterface[]> {
  const text = container.kernel?.run(['ip', '-o', 'link']).stdout ?? '';
  const macs = new Map(
    [...text.matchAll(/^\d+: ([^:@]+)[:@].*link\/\w+ ([0-9a-f:]{17})/gm)].map(([, device, mac]) => [device, mac]),
  );
  const addresses = await container.network.addresses();
  return addresses.map((entry) => ({ ...entry, mac: macs.get(entry.device) ?? '00:00:00:00:00:00' }));
}

/** Beside a bundled process, else in the source tree. */
function insideEntry(): string {
  const here = fileURLToPath(import.meta.url);
  return here.endsWith('.mjs') ? join(dirname(here), 'node-program.mjs') : join(dirname(here), 'inside/main.ts');
}

function withSlash(path: string): string {
  return path.endsWith('/') ? path : `${path}/`;
}
