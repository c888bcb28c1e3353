/** What calico keeps in the API, as one node sees it. */
import type { IpamStore } from './ipam/ipam-store.ts';
import type { BgpConfiguration, BgpPeer } from './peerings.ts';

export interface CalicoDatastore extends IpamStore {
  nodeLabels: Readonly<Record<string, string>>;
  readonly bgpConfiguration: BgpConfiguration;
  /** By name. */
  readonly bgpPeers: readonly BgpPeer[];
  /** Told within a turn of the event loop, after `blocks`, `pools` and the rest are what they are now. */
  onChange: (() => void) | null;
  /** Resolves when all that there is has been read, and there is a pool; may be called again. */
  start(): Promise<void>;
  /** `2026-01-31T12:00:00Z`. */
  timestamp(): string;
  /** As the API has it now. */
  hasNode(name: string): Promise<boolean>;
  namespaceAnnotations(namespace: string): Readonly<Record<string, string>>;
  /** Of what failed, and is tried again. */
  report(error: unknown): void;
  /** Runs a call as a turn of the event loop. */
  inTurn(call: () => void): void;
}
