/** What a kube-proxy mode is to the loop: it takes Services' states and brings the node to them. */
import type { ServiceState } from '../compile/service-state.ts';
import { ConfigurationError } from '../configuration.ts';

export interface SyncResult {
  /** The node stands at the present state. */
  readonly applied: boolean;
  /** Everything was sent, not only what changed. */
  readonly full: boolean;
  readonly ruleCounts: { readonly nat: number; readonly filter: number };
}

export interface Proxier {
  update(service: ServiceState): void;
  /** Sends what changed since the last sync that was applied; `verify` also asks the node whether it still stands there. */
  sync(verify: boolean): Promise<SyncResult>;
}

/** The modes there are here; empty is the default. */
export const PROXY_MODES = ['iptables', 'ipvs', 'nftables', 'ebpf'] as const;
export type ProxyMode = (typeof PROXY_MODES)[number];

/** The mode that a configuration names. Throws a sentence for the user when it cannot be run. */
export function proxyMode(text: string): ProxyMode {
  if (text === '') return 'iptables';
  const found = PROXY_MODES.find((mode) => mode === text);
  if (found !== undefined) return found;
  const expected = PROXY_MODES.join(', ');
  if (text === 'kernelspace') {
    throw new ConfigurationError(`mode 'kernelspace' is only for Windows nodes, and these are Linux: use ${expected}`);
  }
  throw new ConfigurationError(`unknown proxy mode '${text}': expected ${expected}`);
}
