/** tcpdump in a pod and on a node, over live devices. */
import { describe, expect, it } from 'vitest';
import { TestCluster } from '../../test/flow/cluster.testkit.ts';
import { waitFor } from '../../test/wait-for.ts';
import type { NodeDatapath } from '../datapath/path.ts';
import { ALL_NETWORK } from '../images/commands/toolset.ts';
import { type CommandResult, startTestContainer, type TestContainer } from '../images/container.testkit.ts';
import { nodeKernelView, podKernelView } from './kernel-view.ts';
import { packetSockets } from './packet-socket.ts';
import { AS_IT_STANDS } from './turn.ts';

function setUp() {
  const cluster = new TestCluster();
  const client = cluster.pod('10.244.1.5');
  const server = cluster.pod('10.244.2.7');
  cluster.udpServer(server.host, 8080);
  cluster.services({ name: 'web', protocol: 'udp', clusterIp: '10.96.12.3', port: 80, backends: ['10.244.2.7:8080'] });
  cluster.ask(client.host, '10.96.12.3', 80);
  const node = cluster.node(1);
  const inPod = startTestContainer({
    programs: ALL_NETWORK,
    kernel: podKernelView(client.host, { packets: packetSockets(node, client.host, AS_IT_STANDS) }),
  });
  const onNode = startTestContainer({ programs: ALL_NETWORK, kernel: nodeKernelView(node) });
  return { cluster, node, client, inPod, onNode };
}

/** Runs a command, and traffic once it captures. */
async function during(node: NodeDatapath, result: Promise<CommandResult>, traffic: () => void): Promise<CommandResult> {
  await waitFor('tcpdump to capture', () => node.captures.running === 1);
  traffic();
  return result;
}

function interrupt({ container }: TestContainer): void {
  for (const process of container.view.processes.list()) if (process.argv[0] === 'tcpdump') process.deliver('SIGINT');
}

describe('tcpdump', () => {
  it('prints the packets of a pod, and ends after the count', async () => {
    const { cluster, node, client, inPod } = setUp();
    const command = ['tcpdump', '-n', '-t', '-i', 'eth0', '-c', '2', 'udp'];
    const { stdout, stderr, code } = await during(node, inPod.run(command), () => {
      cluster.ask(client.host, '10.96.12.3', 80, 41_000);
    });
    expect(stdout).toMatch(
      /^IP 10\.244\.1\.5\.41000 > 10\.96\.12\.3\.80: UDP, length \d+\nIP 10\.96\.12\.3\.80 > 10\.244\.1\.5\.41000: UDP, length \d+\n$/,
    );
    expect(stderr).toContain('listening on eth0, link-type EN10MB (Ethernet), snapshot length 262144 bytes\n');
    expect(stderr).toMatch(/2 packets captured\n2 packets received by filter\n0 packets dropped by kernel\n$/);
    expect(code).toBe(0);
    expect(node.captures.running).toBe(0);
  });

  it('prints the overlay nested on eth0 of a node, and its counters when it is interrupted', async () => {
    const { cluster, node, client, onNode } = setUp();
    const running = onNode.run(['tcpdump', '-nni', 'eth0', '-tq', 'vxlan', 'and', 'port', '8080']);
    const verbose = onNode.run(['tcpdump', '-nn', '-t', '-i', 'eth0', 'port', '4789']);
    await waitFor('both to capture', () => node.captures.running === 2);
    cluster.ask(client.host, '10.96.12.3', 80, 41_000);
    interrupt(onNode);
    const { stdout } = await verbose;
    expect(stdout).toMatch(/^IP 192\.168\.1\.10\.\d+ > 192\.168\.1\.11\.4789: VXLAN, flags \[I\] \(0x08\), vni 1\n/);
    expect(stdout).toContain('\nIP 10.244.1.5.41000 > 10.244.2.7.8080: UDP, length');
    const quiet = await running;
    expect(quiet.stdout.split('\n')[0]).toMatch(/^IP 192\.168\.1\.10\.\d+ > 192\.168\.1\.11\.4789: UDP, length \d+$/);
    expect(quiet.stderr).toMatch(/2 packets captured\n2 packets received by filter\n/);
  });

  it('names the device of each packet with -i any, and reads what it wrote', async () => {
    const { cluster, node, client, onNode } = setUp();
    const file = '/tmp/any.pcap';
    const writing = onNode.run(['tcpdump', '-i', 'any', '-c', '6', '-w', file, 'udp', 'and', 'not', 'port', '4789']);
    const written = await during(node, writing, () => {
      cluster.ask(client.host, '10.96.12.3', 80, 41_000);
    });
    expect(written.stderr).toContain('link-type LINUX_SLL2 (Linux cooked v2)');
    const { stdout, stderr } = await onNode.run(['tcpdump', '-n', '-t', '-r', file]);
    expect(stderr).toBe(`reading from file ${file}, link-type LINUX_SLL2 (Linux cooked v2), snapshot length 262144\n`);
    const lines = stdout.split('\n');
    const veth = client.hostDevice.name;
    expect(lines[0]).toMatch(new RegExp(`^${veth} In {2}IP 10\\.244\\.1\\.5\\.41000 > 10\\.96\\.12\\.3\\.80: UDP`));
    expect(lines[1]).toMatch(/^cni0 {2}In {2}IP /);
    expect(lines[2]).toMatch(/^flannel\.1 Out IP 10\.244\.1\.5\.41000 > 10\.244\.2\.7\.8080: UDP/);
    const filtered = await onNode.run(['tcpdump', '-n', '-e', '-t', '-r', file, 'dst', 'port', '8080']);
    expect(filtered.stdout).toMatch(
      /^flannel\.1 Out ifindex 3 [0-9a-f:]{17} ethertype IPv4 \(0x0800\), length \d+: 10\./,
    );
  });

  it('says what it cannot do, as the original does', async () => {
    const { inPod } = setUp();
    const run = async (...args: string[]) => {
      const { stderr, code } = await inPod.run(['tcpdump', ...args]);
      return `${code} ${stderr}`;
    };
    expect(await run('-i', 'eth9')).toBe('1 tcpdump: eth9: No such device exists\n(No such device exists)\n');
    expect(await run('port', 'foo')).toContain("1 tcpdump: can't parse filter expression: syntax error: 'foo' stands");
    expect(await run('-c', 'x')).toBe('1 tcpdump: invalid packet count x\n');
    expect(await run('-r', '/nope')).toBe('1 tcpdump: /nope: No such file or directory\n');
    expect(await run('-r', '/etc/hosts')).toMatch(/^1 tcpdump: (this is no pcapng|truncated dump file)/);
    const devices = await inPod.run(['tcpdump', '-D']);
    expect(devices.stdout).toBe(
      '1.eth0 [Up, Running, Connected]\n2.any (Pseudo-device that captures on all interfaces) [Up, Running]\n3.lo [Up, Running, Loopback]\n',
    );
  });
});
