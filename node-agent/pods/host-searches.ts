import { readFileSync } from 'node:fs';
import { parseResolvConf } from '../../shared/podnet/resolv-conf.ts';
import { NO_NODE_DNS, type NodeDns } from './name-resolution.ts';

/** The machine's search list, which pods get behind the cluster's; its name servers are CoreDNS' to ask. */
export function hostSearches(path = '/etc/resolv.conf'): NodeDns {
  try {
    return { nameservers: [], searches: parseResolvConf(readFileSync(path, 'utf8')).search };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return NO_NODE_DNS;
    throw error;
  }
}
