/** Why weave's network drops a frame. */
import type { DropReason } from '../../../shared/netstack/hooks.ts';

const reason = (code: string): DropReason => Object.freeze({ code });

/** To a peer that no connection leads to, nor one by way of others. */
export const NO_ROUTE_TO_PEER = reason('weave-no-route');
/** From a peer that is not known (any more), or for one. */
export const UNKNOWN_WEAVE_PEER = reason('weave-unknown-peer');
/** It passed too many peers. */
export const TOO_MANY_HOPS = reason('weave-too-many-hops');
/** In the clear, to a node whose connections are encrypted. */
export const NOT_ENCRYPTED = reason('weave-not-encrypted');
/** A datagram of no session. */
export const NO_WEAVE_SESSION = reason('weave-no-session');
/** The counter was seen before, or is older than the window. */
export const WEAVE_REPLAYED = reason('weave-replayed');
/** The tag is wrong: what arrived is not what was sealed. */
export const WEAVE_NOT_AUTHENTIC = reason('weave-not-authentic');
/** What was in it is none of weave's. */
export const WEAVE_MALFORMED = reason('weave-malformed');
