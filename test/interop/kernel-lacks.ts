/** Whether this machine's kernel can take part in a test. */
import { existsSync } from 'node:fs';
import { run } from '../e2e/run-command.ts';

/** Why not: not Linux, not root, no such program, no such kind of device (`vxlan`, `tun`). Undefined when nothing is missing. */
export async function kernelLacks(
  programs: readonly string[],
  devices: readonly ('vxlan' | 'tun')[],
): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root';
  for (const program of programs) {
    if ((await run('sh', ['-c', `command -v ${program}`])).code !== 0) return `${program} is not installed`;
  }
  if (devices.includes('tun') && !existsSync('/dev/net/tun')) return '/dev/net/tun is not there';
  if (devices.includes('vxlan')) {
    const probe = `pwprobe${process.pid}`;
    const made = await run('ip', ['link', 'add', probe, 'type', 'vxlan', 'id', '99', 'dstport', '0']);
    if (made.code !== 0) return `the kernel makes no VXLAN device: ${made.stderr.trim()}`;
    await run('ip', ['link', 'delete', probe]);
  }
  const probe = `pwprobe${process.pid}`;
  const made = await run('ip', ['netns', 'add', probe]);
  if (made.code !== 0) return `network namespaces cannot be made: ${made.stderr.trim()}`;
  await run('ip', ['netns', 'delete', probe]);
  return undefined;
}
