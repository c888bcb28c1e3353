/** What weave's router is told by its environment. */
import type { CniBackend } from '../../../shared/runtime/cni-plugins.ts';
import type { OverlayName } from '../../datapath/weave/weave-peer.ts';

export interface WeaveChoice {
  /** The best first. */
  readonly overlays: readonly OverlayName[];
  /** Peers with another one, or with none, are refused; undefined: nothing is encrypted. */
  readonly password: string | undefined;
}

/** `settings`: by the names of the original's environment. */
export function weaveChoice(
  backend: CniBackend | undefined,
  { WEAVE_PASSWORD: password, WEAVE_NO_FASTDP: noFastdp }: Readonly<Record<string, string>> = {},
): WeaveChoice {
  const hasFastdp = backend !== 'sleeve' && !noFastdp;
  return { overlays: hasFastdp ? ['fastdp', 'sleeve'] : ['sleeve'], password: password || undefined };
}
