/** Why a faulty link drops a packet; one object each, so that dropping allocates nothing. */
import type { DropReason } from '../../../shared/netstack/hooks.ts';

const reason = (code: string): DropReason => Object.freeze({ code });

export const LINK_LOSS = reason('link-loss');
export const LINK_PARTITION = reason('link-partition');
/** The queue before a limited rate, or all that a node may hold, is full. */
export const LINK_QUEUE_FULL = reason('link-queue-full');
/** A damaged frame that no checksum protects (ARP): the receiving card would have refused it by its FCS. */
export const LINK_CORRUPT = reason('link-corrupt');
