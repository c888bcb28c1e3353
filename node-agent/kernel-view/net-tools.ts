/** `route`, `netstat -r` and `arp` as net-tools prints them: numeric, as with `-n`. */
import type { Host } from '../../shared/netstack/host.ts';
import type { Route } from '../../shared/netstack/route.ts';
import { formatIpv4, formatMac, prefixMask } from '../../shared/wire/address.ts';
import { formatAddress } from '../../shared/wire/ip-address.ts';
import { isIpv6 } from '../../shared/wire/ipv6-table.ts';
import { type CommandOutput, printed } from './command-output.ts';

const COLUMN = 15;

export function routeCommand(host: Host): CommandOutput {
  return routeTable(host, 'Flags Metric Ref    Use Iface', ({ metric }) => `${String(metric).padEnd(6)} 0        0`);
}

export function netstatRoutes(host: Host): CommandOutput {
  return routeTable(host, 'Flags   MSS Window  irtt Iface', () => '    0 0          0');
}

function routeTable(host: Host, titles: string, figures: (route: Route) => string): CommandOutput {
  const cells = (...texts: string[]): string => texts.map((text) => text.padEnd(COLUMN)).join(' ');
  const lines = host.routes
    .list()
    .filter(({ destination }) => !isIpv6(destination))
    .map((route) => {
      const ends = [route.destination, route.gateway, prefixMask(route.prefixLength)].map(formatIpv4);
      return `${cells(...ends)} ${flagsOf(route).padEnd(5)} ${figures(route)} ${route.device?.name ?? '-'}`;
    });
  const heading = ['Kernel IP routing table', `${cells('Destination', 'Gateway', 'Genmask')} ${titles}`];
  return printed(`${[...heading, ...lines].join('\n')}\n`);
}

function flagsOf({ type, gateway, prefixLength }: Route): string {
  if (type !== 'unicast' && type !== 'local') return '!';
  return `U${gateway === 0 ? '' : 'G'}${prefixLength === 32 ? 'H' : ''}`;
}

/** `-a` in BSD's form. */
export function arpCommand(host: Host, words: readonly string[]): CommandOutput {
  const bsd = words.some((word) => /^-[a-z]*a/.test(word));
  const known = host.neighbours.list().filter(({ address }) => !isIpv6(address));
  const lines = known.map(({ address, device, macAddress, state }) => {
    const incomplete = state === 'INCOMPLETE' || state === 'FAILED';
    const permanent = state === 'PERMANENT';
    const name = formatAddress(address);
    if (bsd) {
      const at = incomplete ? '<incomplete>' : `${formatMac(macAddress)} [ether]${permanent ? ' PERM' : ''}`;
      return `? (${name}) at ${at} on ${device.name}`;
    }
    const [kind, mac] = incomplete ? ['', '(incomplete)'] : ['ether', formatMac(macAddress)];
    const flags = incomplete ? '' : permanent ? 'CM' : 'C';
    return `${name.padEnd(24)} ${kind.padEnd(7)} ${mac.padEnd(19)} ${flags.padEnd(5)} ${''.padEnd(15)} ${device.name}`;
  });
  const heading = 'Address                  HWtype  HWaddress           Flags Mask            Iface';
  const all = bsd || lines.length === 0 ? lines : [heading, ...lines];
  return printed(all.map((line) => `${line}\n`).join(''));
}
