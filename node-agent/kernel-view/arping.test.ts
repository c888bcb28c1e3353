/** arping of a pod and of a node over live devices, against what that of iputils 20221126 printed. */
import { describe, expect, it } from 'vitest';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import { ALL_NETWORK } from '../images/commands/toolset.ts';
import { startTestContainer, type TestContainer } from '../images/container.testkit.ts';
import type { KernelView } from '../images/image.ts';
import { nodeKernelView, podKernelView } from './kernel-view.ts';
import { packetSockets } from './packet-socket.ts';
import type { Turn } from './turn.ts';

/** Time stands but in turns, after which all that was sent has arrived. */
function setUp() {
  const cluster = new TestCluster();
  const node = cluster.node(1);
  const { host } = cluster.pod('10.244.1.5');
  const turn: Turn = (call) => {
    const result = call();
    cluster.settle();
    return result;
  };
  const container = (kernel: KernelView) => startTestContainer({ programs: ALL_NETWORK, kernel });
  return {
    node,
    host,
    inPod: container(podKernelView(host, { packets: packetSockets(node, host, turn), turn })),
    onNode: container(nodeKernelView(node, { turn })),
  };
}

async function run(container: TestContainer, command: string): Promise<string> {
  const { stdout, stderr, code } = await container.run(command.split(' '));
  const text = `${stdout}${stderr}`.replace(/ +\d+\.\d{3}ms/g, ' T').replace(/\[[0-9A-F:]{17}\]/g, '[MAC]');
  return `${text}=> ${code}\n`;
}

describe('arping', () => {
  it('asks through the device towards the target, the first time everybody', async () => {
    const { inPod, onNode, node } = setUp();
    expect(await run(inPod, 'arping -c 2 -i 0 10.244.1.1')).toBe(
      `ARPING 10.244.1.1 from 10.244.1.5 eth0
Unicast reply from 10.244.1.1 [MAC] T
Unicast reply from 10.244.1.1 [MAC] T
Sent 2 probes (1 broadcast(s))
Received 2 response(s)
=> 0
`,
    );
    expect(await run(onNode, 'arping -c 1 10.244.1.5')).toBe(
      `ARPING 10.244.1.5 from 10.244.1.1 cni0
Unicast reply from 10.244.1.5 [MAC] T
Sent 1 probes (1 broadcast(s))
Received 1 response(s)
=> 0
`,
    );
    expect(node.captures.running).toBe(0);
  });

  it('says who has an address, that nobody has, or that it is its own', async () => {
    const { inPod, host } = setUp();
    expect(await run(inPod, 'arping -c 1 -w 1 -I eth0 10.244.1.77')).toBe(
      'ARPING 10.244.1.77 from 10.244.1.5 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n=> 1\n',
    );
    expect(await run(inPod, 'arping -D -c 3 -I eth0 10.244.1.1')).toBe(
      'ARPING 10.244.1.1 from 0.0.0.0 eth0\nUnicast reply from 10.244.1.1 [MAC] T\nSent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n=> 1\n',
    );
    expect(await run(inPod, 'arping -q -D -c 1 -i 0 -I eth0 10.244.1.5')).toBe('=> 0\n');
    expect(host.neighbours.lookup(host.deviceByName('eth0')!, 0x0af4_014d)).toBeUndefined();
  });

  it('tells others of an address that is its own', async () => {
    const { inPod, node } = setUp();
    expect(await run(inPod, 'arping -U -c 1 -i 0 -I eth0 10.244.1.5')).toBe(
      'ARPING 10.244.1.5 from 10.244.1.5 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n=> 0\n',
    );
    expect(node.root.neighbours.list().some(({ address }) => address === 0x0af4_0105)).toBe(false);
  });

  it.each([
    ['arping -c 1 -I nope 10.244.1.1', 'arping: Device nope not available.\n=> 2\n'],
    ['arping -c x -I eth0 10.244.1.1', "arping: invalid argument: 'x'\n=> 1\n"],
    ['arping -I lo -c 1 127.0.0.1', 'Interface "lo" is not ARPable\n=> 2\n'],
    ['arping -s 10.244.1.9 -c 1 -I eth0 10.244.1.1', 'arping: bind: Cannot assign requested address\n=> 2\n'],
  ])('%s', async (command, text) => {
    expect(await run(setUp().inPod, command)).toBe(text);
  });
});
