/** Which kind of socket carries a node's datagrams. */

import { loadNativeSockets, type NativeSockets } from '../../shared/native/native-socket.ts';
import { DgramLink } from './dgram-link.ts';
import { GsoLink } from './gso-link.ts';
import { PolledLink } from './polled-link.ts';
import { selfTest } from './self-test.ts';
import type { SocketLink, SocketLinkOptions } from './socket-link.ts';

/**
 * `dgram`: Node's sockets, everywhere. `gso`: a socket of our own behind Node's, which sends and takes batches. `polled`: our
 * own, polled through libuv.
 */
export type IoTier = 'dgram' | 'gso' | 'polled';
/** `auto` takes the fastest that passes its self-test here. */
export type IoTierChoice = IoTier | 'auto';

export interface OpenLinkOptions extends SocketLinkOptions {
  readonly tier: IoTierChoice;
}

export interface OpenedLink {
  readonly link: SocketLink;
  readonly tier: IoTier;
  /** Why `auto` took a slower one. */
  readonly fallback?: string;
}

type NativeLink = new (options: SocketLinkOptions & { sockets: NativeSockets }) => SocketLink;

/** The fastest first. */
const NATIVE_LINKS: readonly (readonly [IoTier, NativeLink])[] = [
  ['polled', PolledLink],
  ['gso', GsoLink],
];

/** Throws LinkBindError when nothing can be bound, and an error that says why when the tier asked for cannot be had. */
export async function openLink(options: OpenLinkOptions): Promise<OpenedLink> {
  const { tier: choice } = options;
  if (choice === 'dgram') return { link: await DgramLink.open(options), tier: choice };
  let fallback: string | undefined;
  for (const [tier, Link] of NATIVE_LINKS) {
    if (choice !== 'auto' && choice !== tier) continue;
    let sockets: NativeSockets;
    try {
      sockets = await loadNativeSockets();
      await selfTest((own) => new Link({ ...own, sockets }));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (choice === tier) {
        throw new Error(`PODWIRE_IO_TIER=${tier} cannot be had here (${reason}); use dgram or auto`, { cause: error });
      }
      fallback ??= reason;
      continue;
    }
    return { link: new Link({ ...options, sockets }), tier, ...(fallback === undefined ? {} : { fallback }) };
  }
  return { link: await DgramLink.open(options), tier: 'dgram', ...(fallback === undefined ? {} : { fallback }) };
}
