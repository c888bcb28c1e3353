import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LEFT_ADDRESS, type PodPair, podPair } from '../../shared/podnet/pod-pair.testkit.ts';
import { waitFor } from '../../test/wait-for.ts';
import { testLaunch, testSandbox } from './container-launch.testkit.ts';
import { CommandStartError, type ContainerLaunch } from './container-runtime.ts';
import { ProcessRuntime } from './process-runtime.ts';

let folder: string;
let pods: PodPair;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'podwire-process-'));
  pods = podPair();
});
afterEach(async () => {
  await pods.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A runtime whose image `tool` runs the script. */
function runtimeOf(script: string, socketFolder = folder): ProcessRuntime {
  const entry = join(folder, 'tool.mjs');
  writeFileSync(entry, script);
  return new ProcessRuntime({
    images: [{ repository: 'tool', entry, nodeOptions: [] }],
    socketFolder,
    environment: { PODWIRE_CLUSTER: 'test' },
  });
}

function launchOf(output: string[]): ContainerLaunch {
  return testLaunch({
    sandbox: testSandbox(pods, 'tool-0', 'kube-system'),
    containerName: 'tool',
    image: 'registry.example/tool:1',
    onOutput: (_stream, data) => output.push(Buffer.from(data).toString()),
  });
}

const READY = "process.send({ type: 'ready', healthPort: 1 });";
const WAIT = 'setInterval(() => undefined, 1000);';

describe('a process image', () => {
  test('runs with the facts of its pod, and its output is the log', async () => {
    const output: string[] = [];
    const show =
      "console.log([process.env.PODWIRE_POD_NAME, process.env.PODWIRE_POD_IP, process.env.PODWIRE_CLUSTER].join(' '));";
    const instance = await runtimeOf(`${show} process.exit(5)`).start(launchOf(output));
    expect(await instance.ended).toEqual({ exitCode: 5 });
    expect(output.join('')).toBe(`tool-0 ${LEFT_ADDRESS} test\n`);
  });

  test('has started once it says so', async () => {
    const output: string[] = [];
    const instance = await runtimeOf(`console.log('up'); ${READY} ${WAIT}`).start(launchOf(output));
    await waitFor('its output', () => output.join('') === 'up\n');
    instance.signal('SIGTERM');
    expect(await instance.ended).toEqual({ exitCode: 143, signal: 15 });
  });

  test("reaches the pod's network over its socket, also where the folder's path is too long for one", async () => {
    const socketClient = join(import.meta.dirname, '../../shared/podnet/socket-client.ts');
    const script = `
      const { connectPodNetwork } = await import(${JSON.stringify(socketClient)});
      const network = await connectPodNetwork({ path: process.env.PODWIRE_PODNET_SOCKET });
      console.log(JSON.stringify(await network.addresses()));
      process.exit(0);`;
    for (const socketFolder of [folder, join(folder, 'x'.repeat(100))]) {
      const output: string[] = [];
      const instance = await runtimeOf(script, socketFolder).start(launchOf(output));
      expect(await instance.ended).toEqual({ exitCode: 0 });
      expect(output.join('')).toContain(LEFT_ADDRESS);
    }
  });

  test('holds no program to exec, and nothing is known of other images', async () => {
    const runtime = runtimeOf(`${READY} ${WAIT}`);
    expect([runtime.has('docker.io/tool@sha256:abc'), runtime.has('other')]).toEqual([true, false]);
    const instance = await runtime.start(launchOf([]));
    const streams = { stdin: undefined, stdout: new PassThrough(), stderr: new PassThrough() };
    await expect(instance.exec(['sh'], streams, AbortSignal.timeout(1000))).rejects.toThrow(CommandStartError);
    instance.signal('SIGKILL');
    expect(await instance.ended).toEqual({ exitCode: 137, signal: 9 });
  });
});
