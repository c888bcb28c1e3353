/** What the kubelet may rely on, whatever runs a container: emulated images, and programs of the machine in a namespace. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { emptyVolume, projectedVolume } from '../../node-agent/images/files/volume.ts';
import { podKernelView } from '../../node-agent/kernel-view/kernel-view.ts';
import { NetnsRuntime } from '../../node-agent/netns/netns-runtime.ts';
import { VolumeFolders } from '../../node-agent/netns/volume-folders.ts';
import { testLaunch, testSandbox } from '../../node-agent/pods/container-launch.testkit.ts';
import {
  CommandStartError,
  type ContainerInstance,
  type ContainerLaunch,
  type ContainerRuntime,
  type ProcessStreams,
} from '../../node-agent/pods/container-runtime.ts';
import { EmulatedRuntime } from '../../node-agent/pods/emulated-runtime.ts';
import { type PodPair, podPair } from '../../shared/podnet/pod-pair.testkit.ts';
import { run } from '../e2e/run-command.ts';
import { kernelLacks } from '../interop/kernel-lacks.ts';
import { waitFor } from '../wait-for.ts';

const folder = mkdtempSync(join(tmpdir(), 'podwire-runtime-'));
const namespace = `pwcontract${process.pid}`;

function netnsRuntime(): ContainerRuntime {
  const namespacePath = `/run/netns/${namespace}`;
  return new NetnsRuntime({ namespacePath, folder, volumes: new VolumeFolders(join(folder, 'volumes')) });
}

const implementations: { name: string; create: () => ContainerRuntime }[] = [
  {
    name: 'emulated images',
    create: () => new EmulatedRuntime({ kernelOf: (host) => podKernelView(host), machineFolder: folder }),
  },
];
const missing = await kernelLacks(['ip', 'unshare', 'nsenter', 'setpriv', 'setsid', 'pivot_root'], []);
if (missing === undefined) implementations.push({ name: 'programs of the machine', create: netnsRuntime });
else process.stderr.write(`container runtime contract: emulated images only: ${missing}\n`);

beforeAll(async () => {
  if (missing !== undefined) return;
  await run('ip', ['netns', 'add', namespace]);
  const files = ['hosts', 'resolv.conf', 'hostname'].map((file) => `: >'${folder}/etc/${file}'`);
  await run('sh', ['-c', [`mkdir '${folder}/etc'`, ...files].join('; ')]);
});
afterAll(async () => {
  if (missing === undefined) await run('ip', ['netns', 'delete', namespace]);
  rmSync(folder, { recursive: true, force: true });
});

describe.each(implementations)('$name', ({ create }) => {
  let pods: PodPair;
  let output: string[];
  let runtime: ContainerRuntime;
  const running: ContainerInstance[] = [];

  beforeEach(() => {
    pods = podPair();
    output = [];
    runtime = create();
  });
  afterEach(async () => {
    for (const instance of running.splice(0)) {
      instance.signal('SIGKILL');
      await instance.ended;
    }
    await pods.close();
  });

  async function start(script: string, more: Partial<ContainerLaunch> = {}): Promise<ContainerInstance> {
    const instance = await runtime.start(
      testLaunch({
        id: Math.random().toString(16).slice(2).padEnd(64, '0'),
        sandbox: testSandbox(pods, 'pod-0'),
        containerName: 'main',
        image: 'busybox',
        command: ['sh', '-c', script],
        onOutput: (stream, data) => output.push(`${stream}: ${Buffer.from(data).toString()}`),
        ...more,
      }),
    );
    running.push(instance);
    return instance;
  }

  function streamsOf(stdin?: string): ProcessStreams & { text(): string } {
    const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
    const chunks: string[] = [];
    for (const stream of [streams.stdout, streams.stderr]) stream.on('data', (data) => chunks.push(String(data)));
    const input = stdin === undefined ? undefined : new PassThrough();
    input?.end(stdin);
    return { ...streams, stdin: input, text: () => chunks.join('') };
  }

  const terminal = { size: { columns: 101, rows: 33 }, onResize: () => undefined };
  const never = (): AbortSignal => new AbortController().signal;

  it('ends with the exit code of its command, and its output is the log', async () => {
    const instance = await start('echo out; exit 7');
    expect(await instance.ended).toEqual({ exitCode: 7 });
    expect(output).toEqual(['stdout: out\n']);
    const failing = await start('echo wrong >&2');
    expect(await failing.ended).toEqual({ exitCode: 0 });
    expect(output.at(-1)).toBe('stderr: wrong\n');
  });

  it('gives the environment, the working directory and the host name', async () => {
    const instance = await start('echo "$COLOUR $(pwd) $(hostname)"', {
      environment: { COLOUR: 'blue' },
      workingDirectory: '/somewhere/new',
    });
    await instance.ended;
    expect(output).toEqual(['stdout: blue /somewhere/new pod-0\n']);
  });

  it('rejects a command that does not exist', async () => {
    const launch = start('', { command: ['no-such-program'] });
    await expect(launch).rejects.toThrow(CommandStartError);
    await expect(start('', { command: ['no-such-program'] })).rejects.toThrow(
      'exec: "no-such-program": executable file not found in $PATH',
    );
  });

  it('passes SIGTERM to a program that handles it, and SIGKILL ends any', async () => {
    const polite = await start('trap "echo bye; exit 3" TERM; echo ready; while :; do sleep 0.05; done');
    await waitFor('the program', () => output.includes('stdout: ready\n'));
    polite.signal('SIGTERM');
    expect(await polite.ended).toEqual({ exitCode: 3 });
    const stubborn = await start('trap "" TERM; echo deaf; while :; do sleep 0.05; done');
    await waitFor('the program', () => output.includes('stdout: deaf\n'));
    stubborn.signal('SIGTERM');
    stubborn.signal('SIGKILL');
    expect(await stubborn.ended).toEqual({ exitCode: 137, signal: 9 });
  });

  it('runs commands beside the main one, with their own streams and exit codes', async () => {
    const instance = await start('sleep 1000', { environment: { COLOUR: 'blue' } });
    const streams = streamsOf('one\ntwo\n');
    const exitCode = await instance.exec(['sh', '-c', 'wc -l; echo $COLOUR; exit 4'], streams, never());
    expect(exitCode).toBe(4);
    expect(streams.text().trim().split(/\s+/)).toEqual(['2', 'blue']);
    await expect(instance.exec(['no-such-program'], streamsOf(), never())).rejects.toThrow(CommandStartError);
    expect(output).toEqual([]);
  });

  it("ends a terminal's command when its caller has left", async () => {
    const instance = await start('sleep 1000');
    const caller = new AbortController();
    const streams = { ...streamsOf(), terminal };
    const ending = instance.exec(['sh', '-c', 'echo on; while :; do sleep 0.05; done'], streams, caller.signal);
    await waitFor('the command', () => streams.text() === 'on\r\n');
    caller.abort();
    expect(await ending).not.toBe(0);
  });

  it('gives a command a terminal when its caller has one', async () => {
    const instance = await start('sleep 1000');
    const script = '[ -t 0 ] && [ -t 1 ] && echo terminal || echo none';
    const [inside, without] = [streamsOf(), streamsOf()];
    await instance.exec(['sh', '-c', script], { ...inside, terminal }, never());
    await instance.exec(['sh', '-c', script], without, never());
    expect([inside.text(), without.text()]).toEqual(['terminal\r\n', 'none\n']);
  });

  it('lets somebody attach to the main program', async () => {
    const instance = await start('read line; echo "got $line"; read line', { stdin: true });
    const streams = streamsOf('hello\n');
    const caller = new AbortController();
    const attached = instance.attach(streams, caller.signal);
    await waitFor('the answer', () => streams.text().includes('got hello'));
    caller.abort();
    await attached;
    expect(output).toContain('stdout: got hello\n');
  });

  it('mounts volumes: those of objects read-only, emptyDir shared', async () => {
    const config = projectedVolume({
      'app.conf': { bytes: Buffer.from('on') },
      'deep/er': { bytes: Buffer.from('x') },
    });
    const work = emptyVolume();
    const mounts = [
      { path: '/config', volume: config, subPath: '', readOnly: true },
      { path: '/data/work', volume: work, subPath: '', readOnly: false },
    ];
    const first = await start('cat /config/app.conf /config/deep/er; echo mine >/data/work/file; touch /config/new', {
      mounts,
    });
    expect((await first.ended).exitCode).not.toBe(0);
    const second = await start('cat /data/work/file', { mounts });
    expect(await second.ended).toEqual({ exitCode: 0 });
    expect(
      output
        .filter((line) => line.startsWith('stdout'))
        .map((line) => line.slice(8))
        .join(''),
    ).toBe('onxmine\n');
  });

  it('keeps the last words of a program', async () => {
    const instance = await start('echo because >/dev/termination-log; exit 1');
    await instance.ended;
    expect(instance.terminationMessage('/dev/termination-log')).toBe('because\n');
  });

  it('gives each container files of its own', async () => {
    const first = await start('echo here >/tmp/mine; echo there >/usr/mine; cat /tmp/mine');
    await first.ended;
    const second = await start('cat /tmp/mine /usr/mine');
    expect((await second.ended).exitCode).not.toBe(0);
    expect(output[0]).toBe('stdout: here\n');
  });
});
