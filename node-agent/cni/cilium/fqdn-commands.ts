/** `cilium-dbg fqdn cache list` and `fqdn cache clean`: what DNS told the pods of this node. */
import { formatAddress } from '../../../shared/wire/ip-address.ts';
import type { CiliumView } from './cilium-dbg.ts';
import { endpointId } from './endpoint-id.ts';
import { textTable } from './text-table.ts';

const HEAD = ['Endpoint', 'Source', 'FQDN', 'TTL', 'ExpirationTime', 'IPs'];

interface CachedName {
  readonly 'endpoint-id': number;
  readonly source: string;
  readonly fqdn: string;
  readonly ttl: number;
  readonly 'expiration-time': string;
  readonly ips: readonly string[];
}

/** One for each name that a pod asked for, as its last answer was. */
function cachedNames({ names, datapath }: CiliumView, wallClockMs: number): readonly CachedName[] {
  const { nowUs } = datapath.root.engine;
  const found = new Map<string, CachedName & { readonly ips: string[] }>();
  for (const { endpoint, source, name: fqdn, ttlSeconds: ttl, expiresUs, address } of names.list()) {
    const key = `${endpoint} ${source} ${fqdn} ${expiresUs}`;
    const expires = new Date(wallClockMs + (expiresUs - nowUs) / 1000).toISOString();
    const id = endpointId(datapath, endpoint);
    const known = found.get(key) ?? { 'endpoint-id': id, source, fqdn, ttl, 'expiration-time': expires, ips: [] };
    known.ips.push(formatAddress(address));
    found.set(key, known);
  }
  return [...found.values()];
}

export function fqdnCacheList(view: CiliumView, wallClockMs: number): string {
  const rows = cachedNames(view, wallClockMs).map((one) => [
    `${one['endpoint-id']}`,
    one.source,
    one.fqdn,
    `${one.ttl}`,
    one['expiration-time'],
    one.ips.join(','),
  ]);
  return textTable([HEAD, ...rows]);
}

export function fqdnCacheJson(view: CiliumView, wallClockMs: number): string {
  return `${JSON.stringify(cachedNames(view, wallClockMs), null, 2)}\n`;
}

export function fqdnCacheClean({ names }: CiliumView): string {
  names.forget(() => true);
  return 'FQDN proxy cache cleared\n';
}
