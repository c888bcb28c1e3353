/** Network commands by the sets in which images have them; each is loaded when it first runs. */
import { type Utility, utility } from '../coreutils/utility.ts';
import { lazyProgram, type Program } from '../image.ts';
import { KERNEL_COMMANDS } from './kernel/kernel.ts';

function command<Name extends string>(
  name: Name,
  load: () => Promise<Record<Name, Utility>>,
  aliases: readonly string[] = [],
): Record<string, Program> {
  return Object.fromEntries(
    [name, ...aliases].map((alias) => [alias, lazyProgram(async () => utility(alias, (await load())[name]))]),
  );
}

export const CURL = command('curl', () => import('./curl/curl.ts'));

/** What every image with network tools has in the same form. */
const COMMON: Readonly<Record<string, Program>> = {
  ...command('wget', () => import('./wget/wget.ts')),
  ...command('nc', () => import('./nc/nc.ts'), ['netcat']),
  ...command('tcpdump', () => import('./tcpdump/tcpdump.ts')),
  ...kernelCommands(['ip', 'netstat', 'route', 'arp', 'ifconfig', 'sysctl']),
};

/** What busybox brings: its own ping, traceroute and nslookup. */
export const BUSYBOX_NETWORK: Readonly<Record<string, Program>> = {
  ...COMMON,
  ...command('ping', () => import('./ping/busybox.ts'), ['ping6']),
  ...command('nslookup', () => import('./dns/busybox-nslookup.ts')),
  ...command('traceroute', () => import('./traceroute/busybox.ts'), ['traceroute6']),
};

export const DNS_TOOLS: Readonly<Record<string, Program>> = {
  ...command('dig', () => import('./dns/dig.ts')),
  ...command('host', () => import('./dns/host.ts')),
  ...command('nslookup', () => import('./dns/nslookup.ts')),
  ...command('getent', () => import('./getent/getent.ts')),
};

/** Everything there is, in the form that a full distribution has (iputils, bind). */
export const ALL_NETWORK: Readonly<Record<string, Program>> = {
  ...COMMON,
  ...CURL,
  ...DNS_TOOLS,
  ...command('ping', () => import('./ping/iputils.ts'), ['ping4', 'ping6']),
  ...command('traceroute', () => import('./traceroute/linux.ts'), ['traceroute6']),
  ...command('tracepath', () => import('./tracepath/tracepath.ts')),
  ...command('arping', () => import('./arping/arping.ts')),
  ...command('mtr', () => import('./mtr/mtr.ts')),
  ...command('iperf3', () => import('./iperf3/iperf3.ts')),
  ...kernelCommands(KERNEL_COMMANDS),
};

function kernelCommands(names: readonly string[]): Record<string, Program> {
  return Object.fromEntries(
    names.map((name) => [name, lazyProgram(async () => (await import('./kernel/kernel.ts')).kernelProgram(name))]),
  );
}
