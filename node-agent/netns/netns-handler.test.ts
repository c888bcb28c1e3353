import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { podPair } from '../../shared/podnet/pod-pair.testkit.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { EventLoop } from '../io/event-loop.ts';
import type { PodSandbox } from '../pods/container-runtime.ts';
import { NetnsHandler } from './netns-handler.ts';

const folder = mkdtempSync(join(tmpdir(), 'podwire-handler-'));
const pods = podPair();
const sandbox: PodSandbox = {
  podUid: '12345678',
  podName: 'web',
  namespace: 'default',
  nodeName: 'worker-1',
  hostname: 'web',
  podIp: '10.244.1.2',
  network: pods.left,
  host: pods.leftHost,
  hostsFile: '',
  resolvConf: '',
};

function handler(allowed: boolean): NetnsHandler {
  const loop = new EventLoop(new EventEngine({ random: () => 0 }));
  const memory = new PacketMemory({ smallSlots: 16, largeSlots: 1 });
  return new NetnsHandler({ cluster: 'test', allowed, folder, memory, loop, nodeNetwork: pods.right });
}

afterEach(async () => {
  await pods.close();
  rmSync(folder, { recursive: true, force: true });
});

test('nothing is set up where it is not allowed, and the error says how to allow it', async () => {
  const pod = { spec: { containers: [] } };
  await expect(handler(false).complete(pod, sandbox)).rejects.toThrow('start it with podwire up --allow-netns');
  expect(readdirSync(folder)).toEqual([]);
  const onHost = { spec: { containers: [], hostNetwork: true } };
  await expect(handler(true).complete(onHost, sandbox)).rejects.toThrow(/hostNetwork|needs Linux and root/);
  expect(existsSync('/run/netns/podwire-test-default-web-12345')).toBe(false);
});
