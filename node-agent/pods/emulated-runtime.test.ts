import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type PodPair, podPair } from '../../shared/podnet/pod-pair.testkit.ts';
import { podKernelView } from '../kernel-view/kernel-view.ts';
import { testLaunch, testSandbox } from './container-launch.testkit.ts';
import type { ContainerInstance } from './container-runtime.ts';
import { EmulatedRuntime } from './emulated-runtime.ts';

let pods: PodPair;
let runtime: EmulatedRuntime;
let output: string;
let running: ContainerInstance[];

beforeEach(() => {
  pods = podPair();
  runtime = new EmulatedRuntime({ kernelOf: (host) => podKernelView(host), machineFolder: tmpdir() });
  output = '';
  running = [];
});
afterEach(async () => {
  for (const instance of running) {
    instance.signal('SIGKILL');
    await instance.ended;
  }
  await pods.close();
});

test('containers of a pod that shares its processes see each other, below the PID 1 of pause', async () => {
  const sandbox = testSandbox(pods, 'pod-0');
  const start = async (containerName: string, script: string): Promise<ContainerInstance> => {
    const instance = await runtime.start(
      testLaunch({
        id: containerName.padEnd(64, '0'),
        sandbox,
        containerName,
        image: 'busybox',
        sharesProcesses: true,
        command: ['sh', '-c', script],
        onOutput: (_stream, data) => {
          output += Buffer.from(data).toString();
        },
      }),
    );
    running.push(instance);
    return instance;
  };
  const web = await start('web', 'echo mine >/tmp/page; exec sleep 1000');
  const shell = await start(
    'shell',
    'until pid=$(pidof sleep); do :; done; ps; cat /proc/$pid/root/tmp/page; kill $pid',
  );
  expect(await shell.ended).toMatchObject({ exitCode: 0 });
  expect(await web.ended).toMatchObject({ exitCode: 143 });
  expect(output).toMatch(/^ +1 root .* \/pause$/m);
  expect(output).toMatch(/^ +2 root .* sleep 1000$/m);
  expect(output).toContain('mine\n');
});
