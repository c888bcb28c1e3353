/** `dns.lookup` and `dns.lookupService`: the pod's hosts file and resolv.conf, over the pod's network. */
import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { ResolveError, type Resolver } from '../../../../shared/podnet/resolver.ts';
import { binding, errorNumber, inContext, type RequestWrap } from './bindings.ts';
import { inOwnTurn } from './own-turn.ts';
import type { PodLink } from './pod-link.ts';

/** libuv's order of results: as they come, IPv4 first, IPv6 first. */
const IPV6_FIRST = 2;
const SERVICES: Readonly<Record<number, string>> = { 22: 'ssh', 53: 'domain', 80: 'http', 443: 'https' };

export function installLookup(link: PodLink, resolver: Resolver): void {
  const cares = binding('cares_wrap');
  cares.getaddrinfo = (request: RequestWrap, hostname: string, family: number, _hints: number, order: number) => {
    void answer(link, request, async () => {
      const wanted = family === 4 || family === 6 ? family : undefined;
      const found = await resolver.lookup(hostname, { family: wanted });
      const fitting = found.filter((entry) => wanted === undefined || entry.family === wanted);
      if (fitting.length === 0) throw new ResolveError('ENOTFOUND', hostname);
      if (order === IPV6_FIRST) fitting.sort((a, b) => b.family - a.family);
      return [fitting.map(({ address }) => address)];
    });
    return 0;
  };
  cares.getnameinfo = (request: RequestWrap, address: string, port: number) => {
    void answer(link, request, async () => {
      const name = (await resolver.lookupAddress(address)) ?? address;
      return [name, SERVICES[port] ?? String(port)];
    });
    return 0;
  };
  // The promises' own way to those two was fixed before we came; they differ in no other respect.
  Object.assign(dnsPromises, { lookup, lookupService });
}

async function answer(link: PodLink, request: RequestWrap, find: () => Promise<unknown[]>): Promise<void> {
  const complete = inContext((...values: unknown[]) => request.oncomplete?.(...values));
  link.retain();
  try {
    inOwnTurn(complete, null, ...(await find()));
  } catch (error) {
    const again = error instanceof ResolveError && error.code === 'EAI_AGAIN';
    inOwnTurn(complete, errorNumber(again ? 'EAI_AGAIN' : 'EAI_NONAME'));
  } finally {
    link.release();
  }
}

function lookup(hostname: string, options?: number | LookupOptions): Promise<LookupAddress | LookupAddress[]> {
  const settings: LookupOptions = typeof options === 'number' ? { family: options } : { ...options };
  return new Promise((resolve, reject) => {
    dns.lookup(hostname, { ...settings, all: true }, (error, addresses) => {
      if (error !== null) reject(error);
      else resolve(settings.all ? addresses : (addresses[0] as LookupAddress));
    });
  });
}

function lookupService(address: string, port: number): Promise<{ hostname: string; service: string }> {
  return new Promise((resolve, reject) => {
    dns.lookupService(address, port, (error, hostname, service) => {
      if (error !== null) reject(error);
      else resolve({ hostname, service });
    });
  });
}
