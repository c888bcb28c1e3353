/**
 * The reference of bulk transfers: the kernel's own VXLAN devices over a veth pair between two network namespaces, and
 * iperf3 over them. The namespaces are those of two sleeping processes and go with them.
 *
 *   iperf3 -c ~ vx0 (10.98.0.1) ~ veth (10.99.0.1) === veth (10.99.0.2) ~ vx0 (10.98.0.2) ~ iperf3 -s
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Longer than any benchmark; what is left over by a crash ends by itself. */
const NAMESPACE_SECONDS = '900';
const OMIT_SECONDS = '0.4';
const SECONDS = '1.2';
const LIMIT_MS = 15_000;
const POLL_MS = 20;

/** Why there is no such reference here; undefined when there is. */
export function kernelVxlanMissing(): string | undefined {
  if (process.platform !== 'linux') return 'kernel VXLAN needs Linux';
  if (process.getuid?.() !== 0) return 'kernel VXLAN needs root, to make network namespaces';
  for (const tool of ['ip', 'unshare', 'nsenter', 'iperf3']) {
    const { error } = spawnSync(tool, ['--version'], { stdio: 'ignore' });
    if (error !== undefined) return `kernel VXLAN needs the program ${tool}`;
  }
  return undefined;
}

export class KernelVxlan {
  private readonly holders: readonly ChildProcess[];

  private constructor(holders: readonly ChildProcess[]) {
    this.holders = holders;
  }

  static async open(): Promise<KernelVxlan> {
    const holders = [1, 2].map(() => spawn('unshare', ['-n', 'sleep', NAMESPACE_SECONDS], { stdio: 'ignore' }));
    const path = new KernelVxlan(holders);
    try {
      await path.build();
      return path;
    } catch (error) {
      path.close();
      throw error;
    }
  }

  /** One TCP flow, Mbit/s at its receiver. */
  async bulk(): Promise<number> {
    const server = spawn('nsenter', this.inside(1, ['iperf3', '-s', '-1']), { stdio: 'ignore' });
    try {
      for (;;) {
        const { stdout } = await run('nsenter', this.inside(1, ['ss', '-Hltn', 'sport = :5201']));
        if (stdout !== '') break;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      const client = ['iperf3', '-c', '10.98.0.2', '-O', OMIT_SECONDS, '-t', SECONDS, '-J'];
      const { stdout } = await run('nsenter', this.inside(0, client), { timeout: LIMIT_MS });
      return receivedMegabits(JSON.parse(stdout));
    } finally {
      server.kill('SIGKILL');
    }
  }

  close(): void {
    for (const holder of this.holders) holder.kill('SIGKILL');
  }

  private async build(): Promise<void> {
    await Promise.all(this.holders.map((_, side) => this.ownNamespace(side)));
    const names = [`pwb${process.pid}a`, `pwb${process.pid}b`];
    await run('ip', ['link', 'add', names[0]!, 'type', 'veth', 'peer', 'name', names[1]!]);
    for (const side of [0, 1]) {
      const device = names[side] as string;
      await run('ip', ['link', 'set', device, 'netns', String(this.pidOf(side))]);
      const [own, other] = [`10.99.0.${side + 1}`, `10.99.0.${2 - side}`];
      await this.ip(side, `addr add ${own}/24 dev ${device}`);
      await this.ip(side, `link set ${device} up`);
      await this.ip(side, `link add vx0 type vxlan id 42 local ${own} remote ${other} dstport 4789`);
      await this.ip(side, `addr add 10.98.0.${side + 1}/24 dev vx0`);
      await this.ip(side, 'link set vx0 up');
    }
  }

  /** `unshare` has made it once the process is `sleep`. */
  private async ownNamespace(side: number): Promise<void> {
    for (;;) {
      const { stdout } = await run('ps', ['-o', 'comm=', '-p', String(this.pidOf(side))]);
      if (stdout.trim() === 'sleep') return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private pidOf(side: number): number {
    const { pid } = this.holders[side] as ChildProcess;
    if (pid === undefined) throw new Error('no network namespace could be made');
    return pid;
  }

  private inside(side: number, command: readonly string[]): string[] {
    return ['-t', String(this.pidOf(side)), '-n', ...command];
  }

  private async ip(side: number, words: string): Promise<void> {
    await run('nsenter', this.inside(side, ['ip', ...words.split(' ')]));
  }
}

function receivedMegabits(report: unknown): number {
  // The shape that iperf3 --json has had since 3.0; anything else is caught by the check below.
  const bits = (report as { end?: { sum_received?: { bits_per_second?: unknown } } }).end?.sum_received
    ?.bits_per_second;
  if (typeof bits !== 'number') throw new Error('iperf3 said nothing of what it received');
  return bits / 1e6;
}
