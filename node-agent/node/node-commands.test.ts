import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { EventEngine } from '../../shared/netstack/event-engine.ts';
import { parseIpv4, parseIpv4Prefix } from '../../shared/wire/address.ts';
import { PacketMemory } from '../../shared/wire/packet-memory.ts';
import { vxlanNetwork } from '../datapath/network/bridged-network.ts';
import { NodeDatapath } from '../datapath/path.ts';
import { noNetwork } from '../images/container.testkit.ts';
import { readAll } from '../images/program-io.ts';
import { NodeCommands } from './node-commands.ts';

function createDatapath(): NodeDatapath {
  const datapath = new NodeDatapath({
    engine: new EventEngine({ random: () => 0.5 }),
    memory: new PacketMemory({ smallSlots: 64, largeSlots: 1 }),
    nodeName: 'worker-1',
    internalIp: parseIpv4('192.168.1.10')!,
    clusterCidr: parseIpv4Prefix('10.244.0.0/16')!,
    link: {
      local: { address: '127.0.1.10', port: 4789 },
      onReceive: null,
      addPeer: () => 1,
      removePeer: () => undefined,
      send: () => undefined,
      close: () => undefined,
    },
    bootId: 'boot',
    secret: new Uint8Array(16),
  });
  datapath.use(vxlanNetwork);
  datapath.setPodCidr(parseIpv4Prefix('10.244.1.0/24')!);
  datapath.attachPod({ id: 'default/db', address: parseIpv4('10.244.1.4')!, hostDeviceName: 'veth0' });
  const { host } = datapath.attachPod({
    id: 'default/web-0',
    address: parseIpv4('10.244.1.5')!,
    hostDeviceName: 'veth1',
  });
  host.tcp.listen({ port: 80 });
  return datapath;
}

const commands = new NodeCommands({
  turn: (call) => call(),
  nodeName: 'worker-1',
  datapath: createDatapath(),
  pluginCommands: () => ({}),
  folders: { mounts: () => [] },
  network: noNetwork,
  networkOf: () => noNetwork,
  hostsFile: () => '',
  resolvConf: () => '',
});
afterAll(() => commands.stop());

async function run(...command: string[]): Promise<{ stdout: string; stderr: string; code: number }> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const texts = Promise.all([stdout, stderr].map(readAll));
  const code = await commands.run(command, { stdin: undefined, stdout, stderr }, new AbortController().signal);
  stdout.end();
  stderr.end();
  const [out, error] = (await texts).map((bytes) => Buffer.from(bytes).toString());
  return { stdout: out!, stderr: error!, code };
}

test('ip netns list names the pods, with the ids that their cables show', async () => {
  expect(await run('ip', 'netns', 'list')).toEqual({
    stdout: 'cni-default.db (id: 0)\ncni-default.web-0 (id: 1)\n',
    stderr: '',
    code: 0,
  });
  expect((await run('ip', '-j', 'netns')).stdout).toBe(
    '[{"name":"cni-default.db","id":0},{"name":"cni-default.web-0","id":1}]\n',
  );
  expect((await run('ip', 'link', 'show', 'veth1')).stdout).toContain('link-netnsid 1');
});

test('ip netns exec runs a command in the network of a pod', async () => {
  const inPod = ['ip', 'netns', 'exec', 'cni-default.web-0'];
  expect((await run(...inPod, 'ip', '-4', '-br', 'addr')).stdout).toContain('10.244.1.5/24');
  expect((await run(...inPod, 'ss', '-tln')).stdout).toContain('0.0.0.0:80');
  expect((await run('sh', '-c', `${inPod.join(' ')} ip route | head -n 1`)).stdout).toContain('via 10.244.1.1');
  expect((await run('ip', 'addr')).stdout).toContain('192.168.1.10');
});

test('ip netns says what is wrong', async () => {
  expect(await run('ip', 'netns', 'exec', 'nope', 'true')).toEqual({
    stdout: '',
    stderr: 'Cannot open network namespace "nope": No such file or directory\n',
    code: 255,
  });
  expect(await run('ip', 'netns', 'exec', 'cni-default.db', 'no-such-program')).toMatchObject({
    stderr: 'exec of "no-such-program" failed: No such file or directory\n',
    code: 255,
  });
  expect((await run('ip', 'netns', 'add', 'x')).code).toBe(255);
});
