/** Ports by the names of /etc/services that a cluster sees, unless `-n`. */
import type { PrintContext } from './print-options.ts';

const BOTH: Readonly<Record<number, string>> = {
  22: 'ssh',
  53: 'domain',
  67: 'bootps',
  68: 'bootpc',
  80: 'http',
  123: 'ntp',
  179: 'bgp',
  443: 'https',
  3306: 'mysql',
  4789: 'vxlan',
  5432: 'postgresql',
  6379: 'redis',
  8080: 'http-alt',
};

export function portName({ options }: PrintContext, port: number): string {
  return options.numericPorts ? String(port) : (BOTH[port] ?? String(port));
}
