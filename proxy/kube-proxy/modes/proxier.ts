/** What a kube-proxy mode is to the loop: it takes Services' states and brings the node to them. */
import type { ServiceState } from '../compile/iptables/compiler.ts';

export interface SyncResult {
  /** The node stands at the present state. */
  readonly applied: boolean;
  /** Everything was sent, not only what changed. */
  readonly full: boolean;
  readonly ruleCounts: { readonly nat: number; readonly filter: number };
}

export interface Proxier {
  readonly name: string;
  update(service: ServiceState): void;
  /** Sends what changed since the last sync that was applied; `verify` also asks the node whether it still stands there. */
  sync(verify: boolean): Promise<SyncResult>;
}

const LATER_MODES: readonly string[] = ['ipvs', 'nftables', 'ebpf'];

/** Why a mode cannot be run; undefined for one that can. */
export function modeProblem(mode: string): string | undefined {
  if (mode === 'iptables' || mode === '') return undefined;
  if (mode === 'kernelspace') return "mode 'kernelspace' is only for Windows nodes: use iptables";
  if (LATER_MODES.includes(mode)) return `mode '${mode}' is not emulated yet: use iptables`;
  return `unknown proxy mode '${mode}': expected iptables`;
}
