/** The lab in which a kernel's VXLAN device joins the overlay: its commands as they stand there, both ways. */
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCluster } from '../e2e/cluster.ts';
import { documentedCommands, scriptOf } from '../e2e/documented-commands.ts';
import { type CommandResult, run } from '../e2e/run-command.ts';
import { kernelLacks } from './kernel-lacks.ts';

const root = resolve(import.meta.dirname, '../..');
const lab = 'labs/kernel-vxlan-peer';
/** Namespaces are the machine's: another run of this test has another. */
const name = `pwk${process.pid}`;
const missing = await kernelLacks(
  ['ip', 'bridge', 'ethtool', 'sysctl', 'ping', 'curl', 'iperf3', 'python3'],
  ['vxlan'],
);
if (missing !== undefined) process.stderr.write(`kernel VXLAN interop: skipped: ${missing}\n`);
const cluster = missing === undefined ? await TestCluster.start({ nodes: 2 }) : undefined;

describe.skipIf(cluster === undefined)('a kernel VXLAN device as a node', () => {
  let result: CommandResult;

  /** What a command printed. */
  function outputOf(command: string): string {
    const said = result.stdout.split('>>> ').find((part) => part.startsWith(command));
    return said?.split('\n').slice(1).join('\n') ?? '';
  }

  function shell(script: string): Promise<CommandResult> {
    return cluster!.shell(script);
  }

  beforeAll(async () => {
    const commands = documentedCommands(join(root, lab, 'README.md'));
    result = await shell(scriptOf(commands).replaceAll('kernel-1', name));
  });

  afterAll(async () => {
    await shell(`KUBECONFIG=$(cli/bin/podwire.mjs kubeconfig) ${lab}/leave.sh ${name}`);
    await cluster?.down();
  });

  it('runs every command of the lab', () => {
    expect(result.code, `${result.stdout}\n${result.stderr}`).toBe(0);
  });

  it('has one route, one neighbour and one FDB entry a node, as flannel programs them', () => {
    const entries = outputOf('bridge').trim().split('\n');
    expect(entries.map((entry) => entry.replace(/^\S+ dst 127\.0\.\d+\./, '')).sort()).toEqual([
      '10 self permanent',
      '11 self permanent',
    ]);
    expect(outputOf('ip -n')).toMatch(/10\.244\.\d\.0\/24 via 10\.244\.\d\.0 dev flannel\.1 onlink/);
    expect(outputOf('cli/bin')).toContain('10.244.99.0/24 via 10.244.99.0 dev flannel.1 onlink');
  });

  it('reaches pods from the kernel: ping, curl', () => {
    expect(outputOf(`ip netns exec ${name} ping`)).toContain('3 packets transmitted, 3 received, 0% packet loss');
    expect(outputOf(`ip netns exec ${name} ping`)).toContain('ttl=63');
    expect(outputOf(`ip netns exec ${name} curl`)).toContain('<title>Welcome to nginx!</title>');
  });

  it('reaches the kernel from pods: ping, curl', () => {
    expect(outputOf('kubectl exec box -- ping')).toContain('3 packets transmitted, 3 received, 0% packet loss');
    expect(outputOf('kubectl exec box -- curl')).toContain('name: web');
  });

  it('measures throughput with iperf3 in all directions', () => {
    const fromKernel = result.stdout.split('>>> ').filter((part) => part.startsWith(`ip netns exec ${name} iperf3 -c`));
    expect(fromKernel).toHaveLength(2);
    for (const report of [...fromKernel, outputOf('kubectl exec box -- sh')]) {
      const [, rate, unit] = /([\d.]+) ([KMG]?)bits\/sec +receiver\n\niperf Done\./.exec(report) ?? [];
      console.log(`${report.split('\n')[0]}: ${rate} ${unit}bits/sec`);
      expect(Number(rate), report).toBeGreaterThan(0);
    }
  });

  it('leaves nothing behind', async () => {
    expect((await run('ip', ['netns', 'list'])).stdout).not.toContain(name);
    expect((await run('ip', ['link'])).stdout).not.toContain(name);
    expect(await cluster!.kubectlOut(['get', 'nodes', '-o', 'name'])).toBe('node/worker-1\nnode/worker-2\n');
  });
});
