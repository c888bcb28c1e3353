/** `cilium-dbg fqdn cache list` and `fqdn cache clean`: what DNS told the pods of this node. */
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { endpointId } from './endpoint-id.ts';
import { textTable } from './text-table.ts';

const HEAD = ['Endpoint', 'Source', 'FQDN', 'TTL', 'ExpirationTime', 'IPs'];

/** One row for each name that a pod asked for, as its last answer was. */
export function fqdnCacheList({ names, datapath }: CiliumView, wallClockMs: number): string {
  const { nowUs } = datapath.root.engine;
  const rows = new Map<string, { readonly row: string[]; readonly addresses: string[] }>();
  for (const { endpoint, source, name, ttlSeconds, expiresUs, address } of names.list()) {
    const key = `${endpoint} ${source} ${name} ${expiresUs}`;
    const expires = new Date(wallClockMs + (expiresUs - nowUs) / 1000).toISOString();
    const row = [`${endpointId(datapath, endpoint)}`, source, name, `${ttlSeconds}`, expires];
    const known = rows.get(key) ?? { row, addresses: [] };
    known.addresses.push(formatAddress(address));
    rows.set(key, known);
  }
  return textTable([HEAD, ...[...rows.values()].map(({ row, addresses }) => [...row, addresses.join(',')])]);
}

export function fqdnCacheClean({ names }: CiliumView): string {
  names.forget(() => true);
  return 'FQDN proxy cache cleared\n';
}
