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

/** What busybox brings. */
export const BUSYBOX_NETWORK: Readonly<Record<string, Program>> = {
  ...command('wget', () => import('./wget/wget.ts')),
  ...command('nc', () => import('./nc/nc.ts'), ['netcat']),
  ...command('ping', () => import('./ping/ping.ts')),
  ...command('nslookup', () => import('./dns/nslookup.ts')),
  ...command('traceroute', () => import('./traceroute/traceroute.ts')),
  ...kernelCommands(['ip', 'netstat', 'route', 'arp', 'ifconfig']),
};

export const DNS_TOOLS: Readonly<Record<string, Program>> = {
  ...command('dig', () => import('./dns/dig.ts')),
  ...command('host', () => import('./dns/host.ts')),
  ...command('getent', () => import('./dns/getent.ts')),
};

/** Everything there is. */
export const ALL_NETWORK: Readonly<Record<string, Program>> = {
  ...BUSYBOX_NETWORK,
  ...CURL,
  ...DNS_TOOLS,
  ...kernelCommands(KERNEL_COMMANDS),
};

function kernelCommands(names: readonly string[]): Record<string, Program> {
  return Object.fromEntries(
    names.map((name) => [
      name,
      lazyProgram(async () => utility(name, (await import('./kernel/kernel.ts')).kernelCommand)),
    ]),
  );
}
