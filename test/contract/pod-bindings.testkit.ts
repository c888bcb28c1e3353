/** This process' own `net` and `dgram` on a pod's stack, as a Node program of the image `node` has them. It cannot be undone. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostNetwork } from '../../dns/host-network.ts';
import { PodLink } from '../../node-agent/images/node-program/inside/pod-link.ts';
import { installTcp } from '../../node-agent/images/node-program/inside/tcp-handle.ts';
import { installUdp } from '../../node-agent/images/node-program/inside/udp-handle.ts';
import { LEFT_ADDRESS } from '../../shared/podnet/pod-pair.testkit.ts';

let stack: Promise<ChildProcess> | undefined;
const folder = mkdtempSync(join(tmpdir(), 'pod-bindings-'));

export async function networkOfBindings(): Promise<HostNetwork> {
  stack ??= startStack();
  await stack;
  return new HostNetwork(LEFT_ADDRESS);
}

export async function stopStack(): Promise<void> {
  (await stack)?.disconnect();
  rmSync(folder, { recursive: true });
}

async function startStack(): Promise<ChildProcess> {
  const path = join(folder, 'pod.sock');
  // The stack needs a process of its own: ours waits for it at `listen` and `bind`.
  const child = fork(join(import.meta.dirname, 'pod-stack.testkit.ts'), [path], { execArgv: [] });
  await once(child, 'message');
  const link = new PodLink(path, () => undefined);
  installTcp(link, false);
  installUdp(link, false);
  return child;
}
